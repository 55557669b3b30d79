import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import { digestOfHex, isHex } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { locked } from './locking.ts';
import type { FsckMended, FsckReport } from './types.ts';

const STAMP = /^stamps\/([0-9a-f]{64})\.json$/;

/** Removes the stamps of no layer; what else lies among them is not ours to remove. */
export async function removeStrayStamps(
  context: StoreContext,
  problems: FsckReport['problems'],
): Promise<FsckMended[]> {
  const stray = problems.flatMap(({ kind, where }) =>
    kind === 'stray' ? (STAMP.exec(where)?.[1] ?? []) : [],
  );
  if (stray.length === 0) return [];
  return locked(context, async () => {
    const mended: FsckMended[] = [];
    for (const hex of stray) {
      // The layer may have come meanwhile.
      if (!isHex(hex) || statFile(context.layout.blob(digestOfHex(hex))) !== undefined) continue;
      const where = `stamps/${hex}.json`;
      try {
        await rm(join(context.layout.folder, where), { force: true });
      } catch (error) {
        throw systemError(`cannot remove ${where}`, error);
      }
      mended.push({ kind: 'stray', where, message: `${where}, the stamp of no layer, was removed` });
    }
    return mended;
  });
}
