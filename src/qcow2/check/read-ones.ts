import { isZero } from '../../bytes/index.ts';
import { readRefcount } from '../refcount-entry.ts';
import { ClusterBits } from './cluster-bits.ts';
import { refcountPieces } from './refcount-pieces.ts';
import type { Survey } from './survey.ts';
import type { Window } from './windows.ts';

/** Reads which clusters of a window have a refcount of exactly one, as it is stored. */
export async function readOnes(survey: Survey, { first, end }: Window): Promise<ClusterBits> {
  const { file, blocks, geometry } = survey;
  const ones = new ClusterBits(first, end);
  for await (const piece of refcountPieces(file, blocks, geometry, first, end)) {
    if (piece.state !== 'stored' || isZero(piece.bytes)) continue;
    const count = piece.end - piece.first;
    for (let index = 0; index < count; index += 1) {
      if (readRefcount(piece.view, index, geometry.refcountBits) === 1) ones.set(piece.first + index);
    }
  }
  return ones;
}
