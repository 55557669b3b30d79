/** A number in an image: where it lies, and its bytes. */
export interface Field {
  readonly at: number;
  readonly width: 1 | 2 | 4 | 8;
}

/** Section "Header" of the specification: place and width of each field. */
const HEADER: readonly (readonly [number, Field['width']])[] = [
  [0, 4],
  [4, 4],
  [8, 8],
  [16, 4],
  [20, 4],
  [24, 8],
  [32, 4],
  [36, 4],
  [40, 8],
  [48, 8],
  [56, 4],
  [60, 4],
  [64, 8],
];
const HEADER_V3: typeof HEADER = [
  [72, 8],
  [80, 8],
  [88, 8],
  [96, 4],
  [100, 4],
  [104, 1],
];
/** Section "Snapshots": an entry's fields, ahead of its extra data. */
const SNAPSHOT: typeof HEADER = [
  [0, 8],
  [8, 4],
  [12, 2],
  [14, 2],
  [16, 4],
  [20, 4],
  [24, 8],
  [32, 4],
  [36, 4],
];
/** Section "Bitmap directory". */
const BITMAP: typeof HEADER = [
  [0, 8],
  [8, 4],
  [12, 4],
  [16, 1],
  [17, 1],
  [18, 2],
  [20, 4],
];
const BITMAPS_EXTENSION = 0x2385_2875;
const ENCRYPTION_EXTENSION = 0x0537_be77;
const OFFSET = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
/** Of a LUKS header: 592 bytes. */
const LUKS_WORDS = 148;

/**
 * Where everything lies in a sound image, read off it by the specification alone. What nobody looks at, as guest data
 * and the unused rest of a table, is left out.
 */
export function fieldsOf(image: Buffer): Map<string, Field[]> {
  const fields = new Map<string, Field[]>();
  const add = (name: string, ...added: Field[]) => {
    fields.set(name, [
      ...(fields.get(name) ?? []),
      ...added.filter(({ at, width }) => at + width <= image.length),
    ]);
  };
  const layout = (name: string, from: number, table: typeof HEADER) =>
    add(name, ...table.map(([at, width]) => ({ at: from + at, width })));
  const words = (name: string, from: number, count: number) =>
    add(name, ...Array.from({ length: count }, (_, index) => ({ at: from + index * 8, width: 8 as const })));
  const number = (at: number) => Number(image.readBigUInt64BE(at));
  const offset = (at: number) => Number(image.readBigUInt64BE(at) & OFFSET);

  const version = image.readUInt32BE(4);
  const clusterBits = image.readUInt32BE(20);
  const clusterSize = 2 ** clusterBits;
  const extended = version === 3 && (image.readBigUInt64BE(72) & 16n) !== 0n;
  layout('header', 0, HEADER);
  if (version === 3) layout('header', 0, HEADER_V3);

  const l1 = (name: string, from: number, count: number) => {
    words(name, from, count);
    for (let index = 0; index < count; index += 1) {
      const table = offset(from + index * 8);
      if (table !== 0) l2(table);
    }
  };
  const l2 = (table: number) => {
    const step = extended ? 16 : 8;
    for (let at = table; at < table + clusterSize; at += step) {
      const entry = image.readBigUInt64BE(at);
      if (entry === 0n && at > table + 16 * step) continue;
      words('L2 tables', at, step / 8);
      if ((entry & COMPRESSED) !== 0n) compressed(entry);
    }
  };
  const compressed = (entry: bigint) => {
    const bits = BigInt(70 - clusterBits);
    const from = Number(entry & ((1n << bits) - 1n));
    add('compressed data', ...Array.from({ length: 24 }, (_, at) => ({ at: from + at, width: 1 as const })));
  };
  l1('L1 table', number(40), image.readUInt32BE(36));

  const table = number(48);
  const blocks = Array.from({ length: clusterSize / 8 }, (_, index) => number(table + index * 8));
  words('refcount table', table, blocks.findLastIndex((block) => block !== 0) + 3);
  for (const block of blocks.filter((each) => each !== 0)) {
    words('refcount blocks', block, Math.min(clusterSize / 8, 32));
  }

  for (let at = number(64), left = image.readUInt32BE(60); left > 0; left -= 1) {
    layout('snapshot table', at, SNAPSHOT);
    l1('snapshot L1 tables', number(at), image.readUInt32BE(at + 8));
    const extra = image.readUInt32BE(at + 36);
    words('snapshot table', at + 40, extra / 8);
    const length = 40 + extra + image.readUInt16BE(at + 12) + image.readUInt16BE(at + 14);
    at += Math.ceil(length / 8) * 8;
  }

  for (let at = version === 3 ? image.readUInt32BE(100) : 72; ; ) {
    const [type, length] = [image.readUInt32BE(at), image.readUInt32BE(at + 4)];
    layout('header extensions', at, [
      [0, 4],
      [4, 4],
    ]);
    if (type === 0) break;
    words('header extensions', at + 8, Math.min(Math.ceil(length / 8), 4));
    if (type === BITMAPS_EXTENSION) bitmaps(number(at + 24), image.readUInt32BE(at + 8));
    if (type === ENCRYPTION_EXTENSION) {
      const from = number(at + 8);
      add(
        'LUKS header',
        ...Array.from({ length: LUKS_WORDS }, (_, index) => ({ at: from + index * 4, width: 4 as const })),
      );
    }
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return fields;

  function bitmaps(directory: number, count: number): void {
    for (let at = directory, left = count; left > 0; left -= 1) {
      layout('bitmap directory', at, BITMAP);
      words('bitmap tables', number(at), image.readUInt32BE(at + 8));
      at += Math.ceil((24 + image.readUInt16BE(at + 18) + image.readUInt32BE(at + 20)) / 8) * 8;
    }
  }
}
