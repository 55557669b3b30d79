import { EXTENSION, REFCOUNT_ORDER_V2 } from '../constants.ts';
import type { Qcow2Header } from '../qcow2-header.ts';

/** Something that an image has and version 2 has not. */
export interface Lacking {
  /** For programs. */
  readonly feature: string;
  /** For people. */
  readonly name: string;
  /** The command that takes it away, if there is one. */
  readonly hint: (path: string) => string | undefined;
}

const noCommand = (): undefined => undefined;

/**
 * What the header says of an image that version 2 has no way to say, so that dropping it would lose data. What can be
 * dropped is not among them: lazy refcounts, and a compression type while nothing is compressed.
 */
export function lacksInVersion2(header: Qcow2Header): Lacking[] {
  const lacks: Lacking[] = [];
  if (header.refcountBits !== 2 ** REFCOUNT_ORDER_V2) {
    lacks.push({
      feature: 'refcount width',
      name: `refcounts of ${header.refcountBits} bits`,
      hint: (path) => `qemu-img amend -o compat=0.10,refcount_bits=16 ${path}`,
    });
  }
  if (header.incompatible.has('external data file')) {
    lacks.push({ feature: 'external data file', name: 'an external data file', hint: noCommand });
  }
  if (header.incompatible.has('extended L2 entries')) {
    lacks.push({ feature: 'extended L2 entries', name: 'extended L2 entries', hint: noCommand });
  }
  if (header.extensions.some(({ type }) => type === EXTENSION.bitmaps)) {
    lacks.push({
      feature: 'bitmaps',
      name: 'bitmaps',
      hint: (path) => `qemu-img bitmap --remove ${path} NAME`,
    });
  }
  return lacks;
}
