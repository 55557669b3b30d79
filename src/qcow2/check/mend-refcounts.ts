import { isZero } from '../../bytes/index.ts';
import { maxRefcount, readRefcount, writeRefcount } from '../refcount-entry.ts';
import { ChangedSectors } from './changed-sectors.ts';
import { comparedEnd } from './compare-window.ts';
import type { CountedWindows } from './counted-windows.ts';
import { type RefcountPiece, refcountPieces } from './refcount-pieces.ts';
import type { ReferenceCounts } from './reference-counts.ts';
import type { Survey } from './survey.ts';

/** What a cluster's refcount is to be; `counted` is at most what a refcount can say. */
export type WantedRefcount = (stored: number, counted: number) => number;

/**
 * Writes refcounts in place where the wanted ones differ, and makes them durable. All refcount blocks that are needed
 * must be there.
 * @returns how many were changed
 */
export async function mendRefcounts(
  survey: Survey,
  windows: CountedWindows,
  wanted: WantedRefcount,
): Promise<number> {
  const { file, geometry } = survey;
  const { refcountBits } = geometry;
  const most = maxRefcount(refcountBits);
  let mended = 0;
  for await (const counts of windows) {
    for await (const piece of storedPieces(survey, counts)) {
      const changed = new ChangedSectors();
      eachRefcount(piece, counts, refcountBits, (cluster, stored, counted) => {
        const want = wanted(stored, Math.min(counted, most));
        if (want === stored) return;
        writeRefcount(piece.view, cluster - piece.first, refcountBits, want);
        changed.add(((cluster - piece.first) * refcountBits) / 8);
        mended += 1;
      });
      await changed.write(file, piece.bytes, piece.hostOffset);
    }
  }
  if (mended > 0) await file.barrier();
  return mended;
}

/** Calls `visit` for every cluster of a window whose refcount is stored, with what is stored and what was counted. */
export async function visitRefcounts(
  survey: Survey,
  counts: ReferenceCounts,
  visit: (cluster: number, stored: number, counted: number) => void,
): Promise<void> {
  for await (const piece of storedPieces(survey, counts)) {
    eachRefcount(piece, counts, survey.geometry.refcountBits, visit);
  }
}

async function* storedPieces(survey: Survey, counts: ReferenceCounts): AsyncGenerator<RefcountPiece> {
  const { file, blocks, geometry } = survey;
  const end = comparedEnd(geometry, counts);
  for await (const piece of refcountPieces(file, blocks, geometry, counts.first, end)) {
    if (piece.state === 'stored') yield piece;
  }
}

function eachRefcount(
  piece: RefcountPiece,
  counts: ReferenceCounts,
  bits: number,
  visit: (cluster: number, stored: number, counted: number) => void,
): void {
  const isFree = isZero(piece.bytes);
  for (let cluster = piece.first; cluster < piece.end; cluster += 1) {
    if (isFree && !counts.isTouched(cluster)) {
      cluster = counts.stretchEnd(cluster) - 1;
      continue;
    }
    const stored = readRefcount(piece.view, cluster - piece.first, bits);
    visit(cluster, stored, counts.count(cluster));
  }
}
