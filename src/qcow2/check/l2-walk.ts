import { compressedLength, compressedOffset, entryOffset, isCopied } from '../table-entry.ts';
import type { CheckGeometry } from './check-geometry.ts';
import type { FindingKind, FindingPlace } from './finding.ts';
import type { FindingLog } from './finding-log.ts';
import type { FragmentCounts } from './fragment-counts.ts';
import { hexEntry } from './hex-entry.ts';
import { L2_PROBLEM_LIST, type L2_PROBLEMS, l2Problems, NOT_COUNTED, ownedBy } from './l2-entry.ts';
import { type L2List, originPlace } from './l2-list.ts';
import type { ReferenceCounter } from './reference-counter.ts';
import { REFERRED_COPIED, REFERRED_NOT_COPIED, STRUCTURES } from './structure.ts';

/** What a walk through L2 tables works with. */
export interface L2WalkOptions {
  readonly geometry: CheckGeometry;
  readonly log: FindingLog;
  readonly list: L2List;
  readonly counter: ReferenceCounter;
  /** Where the active disk's clusters are tallied, in the window that tells. */
  readonly fragments: FragmentCounts;
}

const DATA = STRUCTURES.data;
/** In the high half of an L2 entry: all that a plain cluster has clear, and its place in the file. */
const NOT_PLAIN_HIGH = 0x7f00_0000;
const PLACE_HIGH = 0x00ff_ffff;
/** Entries that are dealt with in one call. */
const STEP = 128;

/** Goes through the entries of L2 tables: counts what they refer to, and tells what is wrong with them. */
export class L2Walk {
  readonly #options: L2WalkOptions;
  /** The table at hand: its place in the list, and the references to it. */
  #table = 0;
  #times = 0;
  #activeTimes = 0;

  constructor(options: L2WalkOptions) {
    this.#options = options;
  }

  /** @param view the bytes of the table that is at `table` in the list */
  walk(view: DataView, table: number): void {
    const { geometry, counter, fragments, list } = this.#options;
    this.#table = table;
    this.#times = list.times[table] ?? 0;
    this.#activeTimes = list.activeTimes(table);
    fragments.beginTable(counter.tells ? this.#activeTimes : 0);
    const step = STEP * geometry.entryBytes;
    for (let at = 0; at < geometry.clusterSize; at += step) {
      this.#walkSome(view, at, Math.min(at + step, geometry.clusterSize));
    }
  }

  /**
   * Most entries are of plain clusters, and are dealt with here in 32-bit integers; all others elsewhere. A few at a
   * time: what is called often is compiled soon and for good, a long loop for itself alone, and again in each table.
   */
  #walkSome(view: DataView, from: number, to: number): void {
    const { geometry, counter, fragments } = this.#options;
    const { entryBytes, clusterBits, clusterSize, clusters, dataFile } = geometry;
    const { counts } = counter;
    const times = this.#times;
    const isActive = this.#activeTimes > 0;
    const placeLimit = dataFile ? 0 : 2 ** (clusterBits - 1);
    for (let at = from; at < to; at += entryBytes) {
      const high = view.getInt32(at);
      const low = view.getInt32(at + 4);
      const zeroBits = entryBytes === 8 ? 0 : view.getUint32(at + 8);
      const allocBits = entryBytes === 8 ? 0 : view.getUint32(at + 12);
      if ((high | low | allocBits) === 0) continue;
      const place = high & PLACE_HIGH;
      const cluster = (place << (32 - clusterBits)) | (low >>> clusterBits);
      const isPlain =
        (high & NOT_PLAIN_HIGH) === 0 && (low & (clusterSize - 1)) === 0 && (zeroBits & allocBits) === 0;
      if (isPlain && place < placeLimit && cluster !== 0 && cluster < clusters) {
        fragments.addCluster(cluster);
        const flag = high < 0 ? REFERRED_COPIED : REFERRED_NOT_COPIED;
        counts.add(cluster, isActive ? DATA | flag : DATA, times);
      } else {
        this.#visit(at / entryBytes, high >>> 0, low >>> 0, zeroBits, allocBits);
      }
    }
  }

  #visit(entry: number, high: number, low: number, zeroBits: number, allocBits: number): void {
    const { geometry, counter } = this.#options;
    const problems = l2Problems(high, low, zeroBits, allocBits, geometry);
    if (problems !== 0 && counter.tells) {
      for (const [kind, bit] of L2_PROBLEM_LIST) {
        if ((problems & bit) !== 0) this.#tell(kind, entry, this.#times, EXPECTED[kind], high, low);
      }
    }
    const owned = ownedBy(high, low, geometry);
    if (owned === 'cluster') this.#addCluster(entry, high, low);
    else if (owned === 'compressed' && (problems & NOT_COUNTED) === 0) this.#addCompressed(entry, high, low);
  }

  #addCluster(entry: number, high: number, low: number): void {
    const { geometry, counter, fragments } = this.#options;
    const { clusterSize } = geometry;
    const offset = entryOffset(high, low);
    fragments.addCluster(offset / clusterSize);
    if (geometry.dataFile) {
      if (counter.tells) this.#judgeDataFile(entry, high, low, offset);
      return;
    }
    if (!counter.addRange('data', offset, clusterSize, this.#times)) {
      counter.tellPastEnd('data', offset, clusterSize, this.#times, () => this.#placeOf(entry));
    }
    if (this.#activeTimes > 0) counter.noteCopied(offset, isCopied(high));
  }

  #addCompressed(entry: number, high: number, low: number): void {
    const { geometry, counter, fragments } = this.#options;
    const { clusterBits } = geometry;
    const offset = compressedOffset(high, low, clusterBits);
    // Trap 16: up to the end of its last sector, which may lie in another cluster.
    const length = compressedLength(high, low, clusterBits);
    fragments.addCompressed();
    if (counter.addRange('compressed data', offset, length, this.#times)) return;
    counter.tellPastEnd('compressed data', offset, length, this.#times, () => this.#placeOf(entry));
  }

  /** Trap 22: each cluster lies where the guest has it, and belongs to nobody else. */
  #judgeDataFile(entry: number, high: number, low: number, offset: number): void {
    if (!isCopied(high)) this.#tell('copied-wrong', entry, this.#activeTimes, 'COPIED', high, low);
    const { guestOffset } = this.#placeOf(entry);
    if (guestOffset !== offset) {
      this.#tell('data-file-offset', entry, this.#times, `the guest's offset, ${guestOffset}`, high, low);
    }
  }

  #tell(kind: FindingKind, entry: number, times: number, expected: string, high: number, low: number): void {
    const { geometry, list, log } = this.#options;
    log.add(kind, times, () => ({
      ...this.#placeOf(entry),
      hostOffset: (list.offsets[this.#table] ?? 0) + entry * geometry.entryBytes,
      structure: 'L2 table',
      expected,
      got: hexEntry(high, low),
    }));
  }

  /** Where an entry stands in the virtual disk. */
  #placeOf(entry: number): FindingPlace & { readonly guestOffset: number } {
    const { geometry, list } = this.#options;
    const origin = list.origin(this.#table);
    const guestOffset = (origin.l1Index * geometry.tableEntries + entry) * geometry.clusterSize;
    return { ...originPlace(origin), l2Index: entry, guestOffset };
  }
}

const EXPECTED: Readonly<Record<keyof typeof L2_PROBLEMS, string>> = {
  'l2-reserved-bits': 'bits 1 to 8 and 56 to 61 clear',
  'cluster-unaligned': 'a multiple of the cluster size',
  'compressed-copied': 'no COPIED for a compressed cluster',
  'compressed-in-data-file': 'no compressed cluster with a data file',
  'compressed-subclusters': 'no subclusters of a compressed cluster',
  'subclusters-contradict': 'no subcluster that is allocated and zero',
  'subclusters-nowhere': 'no allocated subcluster without a cluster',
  'zero-flag-in-version-2': 'no zero flag in version 2',
};
