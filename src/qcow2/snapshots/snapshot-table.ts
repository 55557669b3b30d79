import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { HostRange } from '../writing/refcount-table.ts';
import { readSnapshotTable } from './read-snapshot-table.ts';
import type { SnapshotEntry } from './snapshot-entry.ts';

/** Where the structures of the internal snapshots lie. */
export interface SnapshotPlaces {
  readonly table: HostRange | undefined;
  readonly l1Tables: readonly HostRange[];
}

/** The snapshot table of an open image: read when it is asked for first, in memory from then on. */
export class SnapshotTable {
  readonly #file: ImageFile;
  readonly #header: ImageHeader;
  #entries: readonly SnapshotEntry[] | undefined;

  constructor(file: ImageFile, header: ImageHeader) {
    this.#file = file;
    this.#header = header;
  }

  /**
   * The entries, in the table's order.
   * @throws CalveError `corrupt` for an entry that cannot be right; `io`
   */
  async entries(): Promise<readonly SnapshotEntry[]> {
    this.#entries ??= await readSnapshotTable(this.#file, this.#header.current);
    return this.#entries;
  }

  /** Where everything lies. Errors as `entries`. */
  async places(): Promise<SnapshotPlaces> {
    const entries = await this.entries();
    const l1Tables = entries.map(({ l1 }) => l1).filter(({ length }) => length > 0);
    const length = encodedLength(entries);
    const { snapshotsOffset } = this.#header.current;
    return { table: length > 0 ? { offset: snapshotsOffset, length } : undefined, l1Tables };
  }

  /** The header names another table, which holds these entries. */
  replace(entries: readonly SnapshotEntry[]): void {
    this.#entries = entries;
  }
}

/** Bytes of a table of these entries. */
function encodedLength(entries: readonly SnapshotEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + bytes.length, 0);
}
