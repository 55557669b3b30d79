import { ENTRY_SIZE } from '../constants.ts';
import { COPIED, entryOffset, isCopied } from '../table-entry.ts';
import { ChangedSectors } from './changed-sectors.ts';
import type { ClusterBits } from './cluster-bits.ts';
import type { CountedWindows } from './counted-windows.ts';
import { ownedBy } from './l2-entry.ts';
import type { Survey } from './survey.ts';
import { type WritablePart, writableL1, writableL2 } from './writable-tables.ts';

/**
 * Sets, or clears, the COPIED flags of the active disk that do not say whether a refcount is one (trap 26), and makes
 * that durable.
 * @param ones the clusters where it is to be set, or the others where it is to be cleared
 * @returns how many were changed
 */
export async function mendCopied(
  survey: Survey,
  windows: CountedWindows,
  action: 'set' | 'clear',
  ones: ClusterBits,
): Promise<number> {
  const { file, geometry } = survey;
  let mended = 0;
  const mend = async (part: WritablePart, step: number, isOne: IsOne): Promise<void> => {
    const changed = new ChangedSectors();
    for (let at = 0; at < part.bytes.length; at += step) {
      const high = part.view.getUint32(at);
      const one = isOne(high, part.view.getUint32(at + 4));
      if (one === undefined || one === isCopied(high) || one !== (action === 'set')) continue;
      part.view.setUint32(at, (high ^ COPIED) >>> 0);
      changed.add(at);
      mended += 1;
    }
    await changed.write(file, part.bytes, part.offset);
  };
  const hasOne = (high: number, low: number) =>
    ones.has(Math.floor(entryOffset(high, low) / geometry.clusterSize));
  for await (const counts of windows) {
    for await (const part of writableL1(survey, counts, 'flags')) {
      await mend(part, ENTRY_SIZE, (high, low) => {
        return entryOffset(high, low) === 0 ? undefined : hasOne(high, low);
      });
    }
    for await (const part of writableL2(survey, counts, 'flags')) {
      await mend(part, geometry.entryBytes, (high, low) => {
        if (ownedBy(high, low, geometry) !== 'cluster') return undefined;
        // Clusters of a data file belong to nobody else.
        return geometry.dataFile || hasOne(high, low);
      });
    }
  }
  if (mended > 0) await file.barrier();
  return mended;
}

/** Whether what an entry leads to has a refcount of one; undefined of an entry that leads nowhere. */
type IsOne = (high: number, low: number) => boolean | undefined;
