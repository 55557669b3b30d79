import { isZero } from '../../bytes/index.ts';
import { maxRefcount, readRefcount } from '../refcount-entry.ts';
import type { CheckGeometry } from './check-geometry.ts';
import { type RefcountPiece, refcountPieces } from './refcount-pieces.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import { contradictsCopied, isOverlap, STRUCTURES, structureNames } from './structure.ts';
import type { Survey } from './survey.ts';

const REFCOUNTS = STRUCTURES['refcount table'] | STRUCTURES['refcount block'];

/** What comparing showed beside its findings. */
export interface Comparison {
  /** The last cluster that is in use by its refcount, or referred to. */
  readonly highest: number;
  /** A cluster that is referred to has no refcount block to be counted in. */
  readonly lacksBlock: boolean;
  /** The refcount table, or a refcount block, lies where something else lies. */
  readonly refcountsOverlap: boolean;
  /** A COPIED flag does not say whether a refcount is one. */
  readonly copiedWrong: boolean;
}

/** Compares the refcounts of a window's clusters, as they are stored, with what was counted. */
export async function compareWindow(
  survey: Survey,
  counts: ReferenceCounts,
  signal: AbortSignal | undefined,
): Promise<Comparison> {
  const { file, blocks, geometry, log } = survey;
  const comparer = new Comparer(survey, counts);
  const { first } = counts;
  for await (const piece of refcountPieces(file, blocks, geometry, first, comparedEnd(geometry, counts))) {
    signal?.throwIfAborted();
    if (piece.state === 'unreadable') {
      log.add('refcount-unreadable', piece.end - piece.first, () => ({
        hostOffset: piece.first * geometry.clusterSize,
        expected: `refcounts of the clusters ${piece.first} to ${piece.end - 1}`,
        got: 'a refcount block where none can be',
      }));
    }
    for (let at = piece.first; at < piece.end; ) {
      const stop = Math.min(piece.end, counts.stretchEnd(at));
      if (piece.state === 'unreadable') comparer.countOverflows(at, stop);
      else if (counts.isTouched(at) || !isFree(piece, at, stop, geometry.refcountBits)) {
        comparer.compare(piece, at, stop);
      }
      at = stop;
    }
  }
  return comparer;
}

/** The cluster behind those to compare. The one behind the file is one of them only if something reaches it. */
export function comparedEnd({ clusters }: CheckGeometry, counts: ReferenceCounts): number {
  return Math.min(counts.end, counts.count(clusters) > 0 ? clusters + 1 : clusters);
}

/** Whether all refcounts of a stretch are stored as 0. */
function isFree(piece: RefcountPiece, from: number, to: number, bits: number): boolean {
  const start = ((from - piece.first) * bits) / 8;
  const end = Math.ceil(((to - piece.first) * bits) / 8);
  return isZero(piece.bytes.subarray(start, end));
}

class Comparer implements Comparison {
  highest = 0;
  lacksBlock = false;
  refcountsOverlap = false;
  copiedWrong = false;
  readonly #survey: Survey;
  readonly #counts: ReferenceCounts;
  readonly #most: number;

  constructor(survey: Survey, counts: ReferenceCounts) {
    this.#survey = survey;
    this.#counts = counts;
    this.#most = maxRefcount(survey.geometry.refcountBits);
  }

  compare(piece: RefcountPiece, from: number, to: number): void {
    const { refcountBits } = this.#survey.geometry;
    const counts = this.#counts;
    const isStored = piece.state === 'stored';
    for (let cluster = from; cluster < to; cluster += 1) {
      const stored = isStored ? readRefcount(piece.view, cluster - piece.first, refcountBits) : 0;
      const bits = counts.bits(cluster);
      if (stored === 0 && bits === 0) continue;
      if (contradictsCopied(bits, stored)) this.copiedWrong = true;
      const counted = counts.count(cluster);
      if (stored === 0 && counted === 0) continue;
      this.highest = cluster;
      if (!isStored) this.lacksBlock = true;
      if (stored !== counted || isOverlap(bits, counted)) this.#judge(cluster, stored, counted, bits);
    }
  }

  /** Where refcounts cannot be read, it still shows when there are more references than one could say. */
  countOverflows(from: number, to: number): void {
    if (!this.#counts.isTouched(from)) return;
    for (let cluster = from; cluster < to; cluster += 1) {
      this.#judgeOverflow(cluster, this.#counts.count(cluster));
    }
  }

  #judgeOverflow(cluster: number, all: number): void {
    if (all <= this.#most) return;
    const { log, geometry } = this.#survey;
    // QEMU counts each reference that did not fit, and compares what did.
    log.add('refcount-overflow', all - this.#most, () => {
      const hostOffset = cluster * geometry.clusterSize;
      return { hostOffset, expected: `at most ${this.#most} references`, got: `${all}` };
    });
  }

  #judge(cluster: number, stored: number, all: number, bits: number): void {
    const { log, geometry } = this.#survey;
    const counted = Math.min(all, this.#most);
    const hostOffset = cluster * geometry.clusterSize;
    const got = `${stored}, of ${structureNames(bits)}`;
    const overlaps = isOverlap(bits, all);
    if (overlaps && (bits & REFCOUNTS) !== 0) this.refcountsOverlap = true;
    this.#judgeOverflow(cluster, all);
    if (stored !== counted) {
      const refcount = { stored, counted };
      log.add(stored < counted ? 'refcount-too-low' : 'leak', 1, () => {
        return { hostOffset, expected: `a refcount of ${counted}`, got, refcount };
      });
    } else if (overlaps) {
      log.add('overlap', 1, () => ({ hostOffset, expected: 'one structure', got }));
    }
  }
}
