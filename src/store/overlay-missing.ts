import { CalveError } from '../errors/index.ts';

export function overlayMissing(name: string, path: string, cause?: unknown): CalveError {
  return new CalveError('corrupt', `environment ${name}: its overlay is missing: ${path}`, {
    hint: `calve rm --force ${name}`,
    cause,
  });
}
