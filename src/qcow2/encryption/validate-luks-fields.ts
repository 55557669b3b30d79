import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { MOST_ITERATIONS } from './calibrate-iterations.ts';
import { parseCipherSpec } from './cipher-spec.ts';
import { parseHashName } from './hash-name.ts';
import { keySlotBytes, materialBytes } from './key-material.ts';
import {
  KEY_SLOT_ALIGNMENT,
  type KeySlotFields,
  LUKS_MAGIC,
  LUKS_VERSION,
  type LuksFields,
  SLOT_DISABLED,
  SLOT_ENABLED,
  STRIPES,
} from './luks-fields.ts';
import type { KeySlot, LuksHeader } from './luks-header.ts';
import { SECTOR } from './sector-cipher.ts';

/** What bounds the work that a header can ask for. */
export interface LuksLimits {
  /**
   * The most PBKDF2 iterations of a key slot or of the master key's digest. The default, 2^25, takes half a minute on
   * a slow machine, and is ten times what QEMU's two seconds come to on a fast one.
   */
  maxIterations?: number;
  /** The bytes that the image gives to the header and its key material. */
  areaLength: number;
}

const DEFAULT_MAX_ITERATIONS = 2 ** 25;

/**
 * Every check of a LUKS header, ahead of any use of it.
 * @throws CalveError `invalid` or `unsupported`, with `data.field` and `data.value`
 */
export function validateLuksFields(fields: LuksFields, limits: LuksLimits): LuksHeader {
  const most = Math.min(limits.maxIterations ?? DEFAULT_MAX_ITERATIONS, MOST_ITERATIONS);
  const magic = Buffer.from(fields.magic);
  check(magic.equals(LUKS_MAGIC), 'magic', Buffer.from(LUKS_MAGIC).toString('hex'), magic.toString('hex'));
  if (fields.version !== LUKS_VERSION) {
    throw refusal('unsupported', 'version', `${LUKS_VERSION}`, fields.version);
  }
  const cipherName = text(fields.cipherName, 'cipher-name');
  const cipher = parseCipherSpec(cipherName, text(fields.cipherMode, 'cipher-mode'), fields.keyBytes);
  checkIterations(fields.mkDigestIterations, 'mk-digest-iterations', most);
  const payloadOffset = fields.payloadOffset * SECTOR;
  const keySlots = fields.keySlots.map((slot, index) => checkKeySlot(slot, index, most));
  checkKeyMaterial(keySlots, cipher.keyBytes, payloadOffset, limits.areaLength);
  return {
    cipher,
    hash: parseHashName(text(fields.hashSpec, 'hash-spec'), 'hash-spec'),
    payloadOffset,
    masterKeyDigest: fields.mkDigest,
    masterKeySalt: fields.mkDigestSalt,
    masterKeyIterations: fields.mkDigestIterations,
    uuid: Buffer.from(upToZero(fields.uuid)).toString('latin1'),
    keySlots,
  };
}

function checkKeySlot(fields: KeySlotFields, index: number, most: number): KeySlot {
  const { active, iterations, salt, stripes } = fields;
  const known = active === SLOT_ENABLED || active === SLOT_DISABLED;
  check(known, `key slot ${index} active`, `${SLOT_ENABLED} or ${SLOT_DISABLED}`, active);
  if (active === SLOT_ENABLED) checkIterations(iterations, `key slot ${index} iterations`, most);
  check(stripes === STRIPES, `key slot ${index} stripes`, `${STRIPES}`, stripes);
  const offset = fields.keyMaterialOffset * SECTOR;
  return { index, active: active === SLOT_ENABLED, iterations, salt, offset };
}

/** A key slot lies behind the header, before the payload, and is its own; an active one's material is in the area. */
function checkKeyMaterial(slots: readonly KeySlot[], keyBytes: number, payload: number, area: number): void {
  const length = keySlotBytes(keyBytes);
  for (const { index, active, offset } of slots) {
    const field = `key slot ${index} key-material-offset`;
    const inArea = area - materialBytes(keyBytes);
    const most = Math.min(payload - length, active ? inArea : payload);
    const expected =
      most < KEY_SLOT_ALIGNMENT
        ? 'room for it'
        : `sector ${KEY_SLOT_ALIGNMENT / SECTOR} to ${Math.floor(most / SECTOR)}`;
    check(offset >= KEY_SLOT_ALIGNMENT && offset <= most, field, expected, offset / SECTOR);
    const other = slots.find((slot) => slot.index > index && Math.abs(slot.offset - offset) < length);
    check(!other, field, `room of its own, not key slot ${other?.index}'s`, offset / SECTOR);
  }
}

function checkIterations(value: number, field: string, most: number): void {
  check(value >= 1, field, 'at least 1', value);
  check(value <= most, field, `at most ${most}`, value);
}

function text(bytes: Uint8Array, field: string): string {
  const name = upToZero(bytes);
  const value = Buffer.from(name).toString('latin1');
  check(name.length < bytes.length, field, 'a zero byte at its end', value);
  return value;
}

function upToZero(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function check(holds: boolean, field: string, expected: string, value: number | string): void {
  if (!holds) throw refusal('invalid', field, expected, value);
}

function refusal(code: ErrorCode, field: string, expected: string, value: number | string): CalveError {
  return new CalveError(code, `${field}: expected ${expected}, got ${JSON.stringify(value)}`, {
    data: { field, value },
  });
}
