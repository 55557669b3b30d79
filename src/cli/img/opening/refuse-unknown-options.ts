import { imgError } from '../img-error.ts';
import type { BlockOptions } from '../options/block-options.ts';

/** @throws CalveError in qemu-img's words for an option that nobody took */
export function refuseUnknownOptions(
  options: BlockOptions,
  kind: 'format' | 'protocol',
  driver: string,
): void {
  const left = options.first;
  if (left === undefined) return;
  if (kind === 'format') throw imgError(`Block format '${driver}' does not support the option '${left}'`);
  throw imgError(`Block protocol '${driver}' doesn't support the option '${left}'`);
}
