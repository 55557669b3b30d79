import { EXTENSION } from '../constants.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { FindingLog } from './finding-log.ts';
import type { PlacedStructure } from './structure-ranges.ts';

/** Section "Full disk encryption header pointer": its length. */
const EXTENSION_LENGTH = 16;

/** Where the encryption header of a LUKS image lies; none of another image. One that leads astray is told. */
export function encryptionHeader(header: Qcow2Header, log: FindingLog): PlacedStructure[] {
  if (header.cryptMethod !== 'luks') return [];
  const structure = 'encryption header' as const;
  const invalid = (expected: string, got: string): PlacedStructure[] => {
    log.add('encryption-header-invalid', 1, () => ({ structure, expected, got }));
    return [];
  };
  const data = header.extensions.find(({ type }) => type === EXTENSION.encryption)?.data;
  if (!data || data.length < EXTENSION_LENGTH) {
    return invalid(`an extension of ${EXTENSION_LENGTH} bytes`, data ? `${data.length} bytes` : 'none');
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const offset = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
  const length = view.getUint32(8) * 2 ** 32 + view.getUint32(12);
  if (view.getUint32(4) % header.clusterSize !== 0) {
    return invalid(`a multiple of ${header.clusterSize}`, `${offset}`);
  }
  return [{ structure, offset, length }];
}
