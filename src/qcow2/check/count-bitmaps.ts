import { bitmapClusterOffset, isBadBitmapTableEntry } from '../bitmaps/bitmap-table-entry.ts';
import { ENTRY_SIZE } from '../constants.ts';
import { boundedSegments } from './bounded-segments.ts';
import { hexEntry } from './hex-entry.ts';
import { pieceBuffer, readPieces } from './read-pieces.ts';
import type { ReferenceCounter } from './reference-counter.ts';
import type { Survey } from './survey.ts';

/** Counts the clusters of bitmaps, and tells of entries of their tables that lead nowhere (section "Bitmap table"). */
export async function addBitmaps(
  survey: Survey,
  counter: ReferenceCounter,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { file, log, bitmapTables, geometry } = survey;
  const { clusterSize, fileEnd } = geometry;
  const buffer = pieceBuffer();
  for (const { offset, length, table, times } of boundedSegments(bitmapTables, fileEnd)) {
    for await (const piece of readPieces(file, offset, length, buffer)) {
      signal?.throwIfAborted();
      const view = new DataView(piece.bytes.buffer, piece.bytes.byteOffset, piece.bytes.byteLength);
      for (let at = 0; at < piece.bytes.length; at += ENTRY_SIZE) {
        const high = view.getUint32(at);
        const low = view.getUint32(at + 4);
        const host = bitmapClusterOffset(high, low);
        const place = () => ({ bitmap: table.bitmap, structure: 'bitmap' as const });
        if (isBadBitmapTableEntry(high, low, clusterSize)) {
          if (!counter.tells) continue;
          const hostOffset = piece.offset + at;
          log.add('bitmap-table-entry-invalid', times, () => {
            const expected = `reserved bits clear, a multiple of ${clusterSize}`;
            return { ...place(), hostOffset, expected, got: hexEntry(high, low) };
          });
        } else if (host !== 0 && !counter.addRange('bitmap', host, clusterSize, times)) {
          counter.tellPastEnd('bitmap', host, clusterSize, times, place);
        }
      }
    }
  }
}
