import { imgError } from '../img-error.ts';

/** The value of `--output`. */
export type OutputFormat = 'human' | 'json';

/** @throws CalveError in qemu-img's words */
export function outputFormat(value: string): OutputFormat {
  if (value === 'human' || value === 'json') return value;
  throw imgError('--output must be used with human or json as argument.', { code: 'usage' });
}
