import type { BitmapInfo, Qcow2Disk } from '../../../qcow2/index.ts';
import { bitmapWords } from '../bitmaps/bitmap-words.ts';
import { imgError } from '../img-error.ts';
import type { BlockNode } from '../opening/block-node.ts';

/**
 * The bitmaps that `--bitmaps` copies.
 * @param skipsBroken those that are inconsistent are left out
 * @throws CalveError in qemu-img's words for a source that has none to give
 */
export function bitmapsToCopy({ qcow2 }: BlockNode, skipsBroken: boolean): readonly BitmapInfo[] {
  if (qcow2 === undefined) throw imgError('Source lacks bitmap support');
  const bitmaps = qcow2.bitmaps();
  // QEMU looks at those that came last first.
  const broken = bitmaps.findLast(({ inconsistent }) => inconsistent);
  if (broken === undefined || skipsBroken) return bitmaps;
  throw imgError(`Cannot copy inconsistent bitmap '${broken.name}'`, {
    code: 'corrupt',
    more: "Try --skip-broken-bitmaps, or use 'qemu-img bitmap --remove' to delete it",
  });
}

/**
 * Copies bitmaps, with what is set in them and their granularity, to an image of the same size.
 * @throws CalveError in qemu-img's words
 */
export async function copyBitmaps(
  bitmaps: readonly BitmapInfo[],
  from: Qcow2Disk,
  target: BlockNode,
  warn: (line: string) => void,
): Promise<void> {
  const to = target.qcow2;
  if (to === undefined) return;
  for (const { name } of bitmaps.filter(({ inconsistent }) => inconsistent).reverse()) {
    warn(`Skipping inconsistent bitmap '${name}'`);
  }
  const there = new Set(to.bitmaps().map(({ name }) => name));
  const taken = bitmaps.findLast(({ name }) => there.has(name));
  if (taken !== undefined) {
    throw imgError(`Failed to create bitmap ${taken.name}: Bitmap already exists: ${taken.name}`);
  }
  for (const { name, granularity, enabled, inconsistent } of bitmaps) {
    if (inconsistent) continue;
    await doing('add', `Failed to create bitmap ${name}`, name, () => to.addBitmap({ name, granularity }));
    await doing('merge', `Failed to populate bitmap ${name}`, name, () =>
      to.mergeBitmap(name, { disk: from, bitmap: name }),
    );
    if (!enabled) await to.disableBitmap(name);
  }

  async function doing(
    does: string,
    failed: string,
    bitmap: string,
    job: () => Promise<void>,
  ): Promise<void> {
    try {
      await job();
    } catch (error) {
      const { message, more } = bitmapWords(error, { does, node: target, bitmap });
      throw imgError(`${failed}: ${message}`, { ...(more !== undefined && { more }), cause: error });
    }
  }
}
