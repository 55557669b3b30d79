import { type CoderType, struct, U64BE } from 'micro-packed';
import { CalveError } from '../../errors/index.ts';
import { EXTENSION } from '../constants.ts';
import type { HeaderExtension } from '../header-extensions.ts';
import type { Qcow2Header } from '../qcow2-header.ts';

/** Where an image has its LUKS header and the key material behind it: bytes, in the image file. */
export interface EncryptionArea {
  readonly offset: number;
  readonly length: number;
}

/** qcow2, "Full disk encryption header pointer". */
const pointer: CoderType<{ offset: bigint; length: bigint }> = struct({ offset: U64BE, length: U64BE });
const POINTER_BYTES = 16;

/**
 * Where an image's LUKS header lies.
 * @throws CalveError `invalid`, with `data.field` and `data.value`, when the image does not say, or says nonsense
 */
export function encryptionArea(header: Qcow2Header): EncryptionArea {
  const field = 'encryption header pointer';
  const data = header.extensions.find(({ type }) => type === EXTENSION.encryption)?.data;
  if (!data) throw refusal(field, 'one, as crypt_method is luks', 'none');
  if (data.length !== POINTER_BYTES) throw refusal(field, `${POINTER_BYTES} bytes`, data.length);
  const { offset, length } = pointer.decode(data);
  const aligned = offset > 0n && offset % BigInt(header.clusterSize) === 0n;
  if (!aligned) throw refusal(`${field} offset`, `a multiple of ${header.clusterSize} above 0`, offset);
  if (offset + length > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw refusal(`${field} length`, 'an end below 2^53', length);
  }
  return { offset: Number(offset), length: Number(length) };
}

/** The header extension that says it. */
export function encryptionExtension({ offset, length }: EncryptionArea): HeaderExtension {
  const data = pointer.encode({ offset: BigInt(offset), length: BigInt(length) });
  return { type: EXTENSION.encryption, data };
}

function refusal(field: string, expected: string, value: bigint | number | string): CalveError {
  return new CalveError('invalid', `${field}: expected ${expected}, got ${value}`, {
    data: { field, value: typeof value === 'bigint' ? String(value) : value },
  });
}
