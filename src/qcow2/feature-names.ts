import { AUTOCLEAR_BITS, COMPATIBLE_BITS, FEATURE_NAME_ENTRY, INCOMPATIBLE_BITS } from './constants.ts';

/** One row of the feature name table: what to call a feature bit, for people. */
export interface FeatureName {
  /** 0 incompatible, 1 compatible, 2 autoclear; others are kept as they are. */
  readonly type: number;
  /** The bit's number in the field of that type. */
  readonly bit: number;
  /** At most 46 bytes. */
  readonly name: string;
}

/** The table that QEMU writes, and that calve writes as well. */
export const FEATURE_NAMES: readonly FeatureName[] = [
  ...rows(0, INCOMPATIBLE_BITS),
  ...rows(1, COMPATIBLE_BITS),
  ...rows(2, AUTOCLEAR_BITS),
];

/** Section "Feature name table". A rest shorter than a row is left aside. */
export function decodeFeatureNames(data: Uint8Array): FeatureName[] {
  const names: FeatureName[] = [];
  for (let at = 0; at + FEATURE_NAME_ENTRY <= data.length; at += FEATURE_NAME_ENTRY) {
    const row = Buffer.from(data.subarray(at, at + FEATURE_NAME_ENTRY));
    const name = row.toString('utf8', 2).split('\0', 1)[0] ?? '';
    names.push({ type: row.readUInt8(0), bit: row.readUInt8(1), name });
  }
  return names;
}

/** Section "Feature name table". */
export function encodeFeatureNames(names: readonly FeatureName[]): Uint8Array {
  const data = Buffer.alloc(names.length * FEATURE_NAME_ENTRY);
  names.forEach(({ type, bit, name }, index) => {
    const at = index * FEATURE_NAME_ENTRY;
    data.writeUInt8(type, at);
    data.writeUInt8(bit, at + 1);
    data.write(name, at + 2, FEATURE_NAME_ENTRY - 2, 'utf8');
  });
  return data;
}

function rows(type: number, bits: Readonly<Record<string, number>>): FeatureName[] {
  return Object.entries(bits).map(([name, bit]) => ({
    type,
    bit,
    name: name === 'dirty' || name === 'corrupt' ? `${name} bit` : name,
  }));
}
