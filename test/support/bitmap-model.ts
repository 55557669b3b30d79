import type { Qcow2Disk } from '../../src/qcow2/index.ts';

interface ModelBitmap {
  readonly granularity: number;
  enabled: boolean;
  /** A byte a bit. */
  bits: Uint8Array;
}

/** Dirty bitmaps as one would keep them on paper, and random histories that run on a disk and on them. */
export class BitmapModel {
  readonly bitmaps: Map<string, ModelBitmap> = new Map();
  readonly #random: () => number;
  size: number;

  /** @param size of the disk, in bytes */
  constructor(size: number, random: () => number) {
    this.size = size;
    this.#random = random;
  }

  add(name: string, granularity: number, enabled = true): void {
    this.bitmaps.set(name, {
      granularity,
      enabled,
      bits: new Uint8Array(Math.ceil(this.size / granularity)),
    });
  }

  /** The disk was changed. */
  mark(offset: number, length: number): void {
    for (const bitmap of this.bitmaps.values()) if (bitmap.enabled) set(bitmap, offset, length);
  }

  merge(target: string, source: string): void {
    const into = this.bitmaps.get(target);
    if (into) for (const { offset, length } of this.dirty(source)) set(into, offset, length);
  }

  resize(size: number): void {
    this.size = size;
    for (const bitmap of this.bitmaps.values()) {
      const bits = new Uint8Array(Math.ceil(size / bitmap.granularity));
      bits.set(bitmap.bits.subarray(0, bits.length));
      bitmap.bits = bits;
    }
  }

  /** The dirty ranges of the disk, in bytes, neighbours merged. */
  dirty(name: string): { offset: number; length: number }[] {
    const { granularity, bits } = this.bitmaps.get(name) ?? { granularity: 1, bits: [] };
    const ranges: { offset: number; length: number }[] = [];
    let from: number | undefined;
    for (let bit = 0; bit <= bits.length; bit += 1) {
      if (bits[bit] === 1) {
        from ??= bit;
      } else if (from !== undefined) {
        const offset = from * granularity;
        ranges.push({ offset, length: Math.min(this.size, bit * granularity) - offset });
        from = undefined;
      }
    }
    return ranges;
  }

  /** Takes steps on a disk and here, some of the changes several at a time. */
  async run(disk: Qcow2Disk, steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      const names = [...this.bitmaps.keys()];
      const name = this.#pick(names) ?? '';
      const bitmap = this.bitmaps.get(name);
      const verb = this.#below(24);
      if (verb === 0 && names.length < 5) {
        const granularity = 512 << this.#below(5);
        const enabled = this.#below(3) > 0;
        const fresh = `bitmap-${this.#below(1000)}`;
        if (this.bitmaps.has(fresh)) continue;
        this.add(fresh, granularity, enabled);
        await disk.addBitmap({ name: fresh, granularity, enabled });
      } else if (verb === 1 && names.length > 2) {
        this.bitmaps.delete(name);
        await disk.removeBitmap(name);
      } else if (verb === 2 && bitmap) {
        bitmap.bits.fill(0);
        await disk.clearBitmap(name);
      } else if (verb === 3 && bitmap) {
        bitmap.enabled = !bitmap.enabled;
        await (bitmap.enabled ? disk.enableBitmap(name) : disk.disableBitmap(name));
      } else if (verb === 4 && bitmap) {
        const source = this.#pick(names) ?? name;
        this.merge(name, source);
        await disk.mergeBitmap(name, source);
      } else {
        await Promise.all(Array.from({ length: 1 + this.#below(3) }, () => this.#change(disk)));
      }
    }
  }

  async #change(disk: Qcow2Disk): Promise<void> {
    const offset = this.#below(this.size);
    const most = this.#below(5) === 0 ? this.size : 9000;
    const length = Math.min(this.size - offset, this.#below(most));
    this.mark(offset, length);
    // Much data would cost time and show nothing.
    const verb = length > 100_000 ? this.#below(2) : this.#below(6);
    if (verb === 0) await disk.discard(offset, length);
    else if (verb === 1) await disk.writeZeroes(offset, length);
    else await disk.write(Buffer.alloc(length, 1 + this.#below(255)), offset);
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.#below(items.length)];
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}

function set({ granularity, bits }: ModelBitmap, offset: number, length: number): void {
  if (length > 0) bits.fill(1, Math.floor(offset / granularity), Math.ceil((offset + length) / granularity));
}

/** The dirty ranges of a disk's bitmap. */
export async function dirtyRanges(
  disk: Qcow2Disk,
  name: string,
  offset = 0,
  length: number = disk.size - offset,
): Promise<{ offset: number; length: number }[]> {
  const ranges: { offset: number; length: number }[] = [];
  let at = offset;
  for await (const extent of disk.dirtyExtents(name, offset, length)) {
    if (extent.offset !== at) throw new Error(`expected an extent at ${at}, got one at ${extent.offset}`);
    at += extent.length;
    if (extent.dirty) ranges.push({ offset: extent.offset, length: extent.length });
  }
  if (at !== offset + length) throw new Error(`expected extents to ${offset + length}, got them to ${at}`);
  return ranges;
}
