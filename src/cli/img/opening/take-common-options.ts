import type { BlockOptions } from '../options/block-options.ts';

/** What every node may be told, and what makes no difference to the contents. */
const COMMON = [
  'node-name',
  'read-only',
  'auto-read-only',
  'force-share',
  'discard',
  'detect-zeroes',
  'cache.direct',
  'cache.no-flush',
  'cache.writeback',
];

/** Takes away the options that every node has. */
export function takeCommonOptions(options: BlockOptions): void {
  for (const key of COMMON) options.take(key);
}
