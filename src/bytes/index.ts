/** Owns the byte coders that micro-packed lacks, and what one asks of bytes; imports errors. */
export { flags64BE } from './flags64be.ts';
export { formatBytes } from './format-bytes.ts';
export { isZero } from './is-zero.ts';
export { offset64BE } from './offset64be.ts';
