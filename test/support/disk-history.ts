import { writeFile } from 'node:fs/promises';
import { followBacking, followDataFile, openQcow2 } from '../../src/qcow2/index.ts';
import { DiskModel } from './disk-model.ts';
import { qemuImgCheck, qemuImgCompare } from './qemu.ts';

/** A random history on an image that is trusted. */
export interface DiskHistory {
  readonly image: string;
  /** What the disk holds; changed as the history goes on. */
  readonly bytes: Buffer;
  readonly clusterSize: number;
  readonly seed: number;
  /** Steps of each opening (default 25). */
  readonly steps?: number;
  /** Openings (default 2). */
  readonly openings?: number;
}

/** Plays a history over a few openings, each followed by QEMU's judgement of the image and of what it holds. */
export async function playHistory(history: DiskHistory): Promise<void> {
  const { image, bytes, clusterSize, seed, steps = 25, openings = 2 } = history;
  for (let opening = 0; opening < openings; opening += 1) {
    const policies = { backing: followBacking(), dataFile: followDataFile() };
    const disk = await openQcow2(image, { writable: true, ...policies });
    await new DiskModel(disk, bytes, { clusterSize, discards: true }, seed + opening).run(steps);
    await disk.close();
    await qemuImgCheck(image);
    await writeFile(`${image}.model`, bytes);
    await qemuImgCompare(image, 'qcow2', `${image}.model`, 'raw');
  }
}
