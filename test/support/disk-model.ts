import assert from 'node:assert/strict';
import type { WritableDisk } from '../../src/disk/index.ts';
import { seededRandom } from './random.ts';

/** What a disk of a certain kind does with a discard. */
export interface ModelTraits {
  /** Bytes; a discard acts on whole clusters. */
  readonly clusterSize: number;
  /** Whether discarded clusters read zeros; else they keep what they held. */
  readonly discards: boolean;
}

/** A disk's content as one flat buffer, and random histories that run on both. */
export class DiskModel {
  readonly bytes: Buffer;
  readonly #disk: WritableDisk;
  readonly #traits: ModelTraits;
  readonly #random: () => number;

  /** @param bytes what the disk holds now */
  constructor(disk: WritableDisk, bytes: Buffer, traits: ModelTraits, seed: number) {
    this.#disk = disk;
    this.bytes = bytes;
    this.#traits = traits;
    this.#random = seededRandom(seed);
  }

  /** Takes steps, some of them several at a time, and checks what the disk reads after each. */
  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      if (this.#below(4) === 0) await this.#together();
      else await this.#one(0, this.bytes.length);
      if (this.#below(6) === 0) await this.#disk.flush();
      await this.#check(...this.#range(0, this.bytes.length));
    }
    await this.#check(0, this.bytes.length);
  }

  /** Steps at one time, each on a part of the disk of its own: parts meet inside clusters. */
  async #together(): Promise<void> {
    const parts = 2 + this.#below(6);
    const cuts = Array.from({ length: parts - 1 }, () => this.#below(this.bytes.length)).sort(
      (a, b) => a - b,
    );
    const bounds = [0, ...cuts, this.bytes.length];
    const running = Array.from({ length: parts }, (_, part) =>
      this.#one(bounds[part] ?? 0, bounds[part + 1] ?? 0, false),
    );
    if (this.#below(2) === 0) running.push(this.#disk.flush());
    await Promise.all(running);
  }

  /** One step inside `from` to `to`. A discard is left out where neighbours share its clusters. */
  async #one(from: number, to: number, alone = true): Promise<void> {
    const [start, end] = this.#range(from, to);
    if (start === end) return;
    const verb = this.#below(10);
    if (verb < 6) {
      const fill = 1 + this.#below(255);
      for (let at = start; at < end; at += 1) this.bytes[at] = (fill + at * 7 + (at >>> 9)) & 0xff;
      await this.#disk.write(Buffer.from(this.bytes.subarray(start, end)), start);
    } else if (verb < 8 || !alone) {
      this.bytes.fill(0, start, end);
      await this.#disk.writeZeroes?.(start, end - start, { unmap: this.#below(2) === 0 });
    } else {
      this.#discardInModel(start, end);
      await this.#disk.discard?.(start, end - start);
    }
  }

  #discardInModel(start: number, end: number): void {
    const { clusterSize, discards } = this.#traits;
    const first = Math.ceil(start / clusterSize) * clusterSize;
    const last = end === this.bytes.length ? end : Math.floor(end / clusterSize) * clusterSize;
    if (discards && first < last) this.bytes.fill(0, first, last);
  }

  async #check(start: number, end: number): Promise<void> {
    const read = Buffer.alloc(end - start, 0xa5);
    await this.#disk.read(read, start);
    const expected = this.bytes.subarray(start, end);
    if (read.equals(expected)) return;
    const at = read.findIndex((byte, index) => byte !== expected[index]);
    assert.fail(`byte ${start + at}: expected ${expected[at]}, got ${read[at]}`);
  }

  /** Odd ranges, sectors, clusters; short ones mostly. */
  #range(from: number, to: number): [number, number] {
    const unit = [1, 512, 4096, this.#traits.clusterSize][this.#below(4)] ?? 1;
    const span = to - from;
    const length = this.#below(3) === 0 ? span : Math.min(span, 3 * this.#traits.clusterSize);
    const start = from + this.#below(span + 1);
    const end = start + this.#below(length + 1);
    const rounded = [start, end].map((at) => Math.min(to, Math.max(from, at - (at % unit))));
    return [rounded[0] ?? from, Math.max(rounded[0] ?? from, rounded[1] ?? from)];
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}
