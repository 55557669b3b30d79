import { hexOf } from '../../oci/index.ts';
import type { Qcow2Header } from '../../qcow2/index.ts';
import { headerFault } from '../header-fault.ts';
import type { LayerInfo } from '../types.ts';

/**
 * Where a layer's header is not what a version says of the layer; undefined when it is.
 * @param below the layer that it stands on; null for a base
 * @param size bytes of the disk, where the layer is a version's last
 */
export function claimFault(
  header: Qcow2Header,
  below: LayerInfo | null,
  size: number | undefined,
): string | undefined {
  const fault = headerFault(header, below === null ? undefined : hexOf(below.digest));
  if (fault !== undefined) return fault;
  if (size === undefined || header.size === size) return undefined;
  return `expected a disk of ${size} bytes as its config says, got ${header.size}`;
}
