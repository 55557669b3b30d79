import { ENTRY_SIZE } from '../constants.ts';
import { DirtyRange } from '../dirty-range.ts';

/** One L2 table in memory: the bytes as they are on disk, and which of them are not there yet. */
export class L2Table {
  /** Its place in the L1 table. */
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly dirty: DirtyRange = new DirtyRange();
  /** Where it lies in the file, or will. */
  offset: number;

  constructor(index: number, offset: number, bytes: Uint8Array) {
    this.index = index;
    this.offset = offset;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  high(entry: number): number {
    return this.view.getUint32(entry * ENTRY_SIZE);
  }

  low(entry: number): number {
    return this.view.getUint32(entry * ENTRY_SIZE + 4);
  }

  set(entry: number, high: number, low: number): void {
    const at = entry * ENTRY_SIZE;
    this.view.setUint32(at, high);
    this.view.setUint32(at + 4, low);
    this.dirty.add(at, at + ENTRY_SIZE);
  }

  /** Moves the table to a cluster that holds none of it yet. */
  moveTo(offset: number): void {
    this.offset = offset;
    this.dirty.add(0, this.bytes.length);
  }
}
