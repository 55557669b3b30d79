/** Where the layer keeps a guest cluster, as it is staged. */
export interface LayerRecord {
  /** Number of the guest cluster. */
  readonly guest: number;
  /** `plain`: `place` is the number of a plain cluster. `compressed`: `place` is an offset among compressed bytes. */
  readonly kind: 'zero' | 'plain' | 'compressed';
  readonly place: number;
  /** Bytes, if compressed; else 0. */
  readonly length: number;
}

/** Bytes of a record. */
export const RECORD_LENGTH = 20;

const ZERO_LENGTH = 2 ** 32 - 1;

/** Writes a record into the first bytes of `view`. */
export function encodeRecord(view: DataView, { guest, kind, place, length }: LayerRecord): void {
  view.setFloat64(0, guest);
  view.setFloat64(8, place);
  view.setUint32(16, kind === 'zero' ? ZERO_LENGTH : length);
}

/** Reads the record at byte `at` of `view`. */
export function decodeRecord(view: DataView, at: number): LayerRecord {
  const length = view.getUint32(at + 16);
  const kind = length === ZERO_LENGTH ? 'zero' : length === 0 ? 'plain' : 'compressed';
  return {
    guest: view.getFloat64(at),
    kind,
    place: view.getFloat64(at + 8),
    length: kind === 'zero' ? 0 : length,
  };
}
