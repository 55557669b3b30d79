import type { Qcow2Header } from '../qcow2/index.ts';

/**
 * What the header of a layer, or of an overlay, says that it must not; undefined when it says nothing of the kind: QEMU
 * follows every name in it (invariant 2).
 * @param below the name of the image that it has to stand on; undefined for none
 */
export function headerFault(header: Qcow2Header, below: string | undefined): string | undefined {
  const { backingFile, backingFormat, incompatible, cryptMethod } = header;
  if (backingFile !== below) return `backing file: expected ${below ?? 'none'}, got ${backingFile ?? 'none'}`;
  if (below !== undefined && backingFormat !== 'qcow2') {
    return `backing format: expected qcow2, got ${backingFormat ?? 'none'}`;
  }
  if (incompatible.has('external data file')) return 'expected no external data file';
  if (cryptMethod !== 'none') return `expected no encryption, got ${cryptMethod}`;
  return undefined;
}
