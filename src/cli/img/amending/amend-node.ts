import { amendQcow2, type Qcow2Disk } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { resizeNode } from '../resizing/resize-node.ts';
import { amendProgress } from './amend-progress.ts';
import { amendWords } from './amend-words.ts';
import { planAmendment } from './plan-amendment.ts';

/**
 * Amends an image that is open for writing as options say, and closes it. Its lock is given up for a moment in between: nothing that was
 * checked before is relied upon after it.
 * @param reopen opens it once more, for a size that version 2 could not have had
 * @throws CalveError in qemu-img's words
 */
export async function amendNode(
  node: BlockNode,
  qcow2: Qcow2Disk,
  given: ReadonlyMap<string, string>,
  showsProgress: boolean,
  context: ImgContext,
  reopen: () => Promise<BlockNode>,
): Promise<void> {
  const path = node.file?.hostFile?.path;
  if (path === undefined) {
    throw imgError('Only an image that is a file of its own can be amended', { code: 'unsupported' });
  }
  const progress = amendProgress(context, showsProgress, await l1EntriesOf(qcow2));
  const { signal } = context;
  let refcountBits: number | undefined;
  try {
    const { amendment, size } = planAmendment(given, qcow2.header);
    refcountBits = amendment.refcountBits;
    const isDowngrade = amendment.version === 2 && qcow2.header.version === 3;
    const resizes = size !== undefined && size !== BigInt(qcow2.size);
    const isUpgrade = amendment.version === 3;
    if (resizes && !isUpgrade) await resizeNode(node, size, 'off', context);
    await qcow2.close();
    await amendQcow2(path, { ...amendment, signal, onProgress: progress.update });
    if (resizes && isUpgrade) {
      const upgraded = await reopen();
      await using _disk = upgraded.disk;
      await resizeNode(upgraded, size, 'off', context);
    }
    if (isDowngrade) progress.finish();
  } catch (error) {
    throw amendWords(error, refcountBits);
  } finally {
    if (showsProgress) context.print('    (100.00/100%)\r');
  }
}

async function l1EntriesOf(qcow2: Qcow2Disk): Promise<number> {
  const { clusterSize, incompatible } = qcow2.header;
  const entryBytes = incompatible.has('extended L2 entries') ? 16 : 8;
  const covers = (clusterSize / entryBytes) * clusterSize;
  const snapshots = incompatible.has('external data file') ? [] : await qcow2.snapshots();
  return [qcow2.size, ...snapshots.map(({ diskSize }) => diskSize)].reduce(
    (sum, bytes) => sum + Math.ceil(bytes / covers),
    0,
  );
}
