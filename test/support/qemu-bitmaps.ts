import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { start, succeed } from './programs.ts';
import { temporaryFolder } from './temporary.ts';

/** A bitmap as `qemu-img info` prints it. */
export interface QemuBitmap {
  readonly name: string;
  readonly granularity: number;
  /** `in-use`, `auto`. */
  readonly flags: readonly string[];
}

/** A range of a disk, in bytes. */
export interface DirtyRange {
  readonly offset: number;
  readonly length: number;
}

/** The bitmaps that QEMU finds in an image. */
export async function qemuBitmaps(path: string): Promise<QemuBitmap[]> {
  const info = JSON.parse(await succeed('qemu-img', ['info', '-U', '--output=json', path]));
  return info['format-specific'].data.bitmaps ?? [];
}

/** What QEMU finds dirty in a bitmap of an image, as it tells a client over NBD. The image is not changed. */
export async function qemuDirtyRanges(path: string, bitmap: string): Promise<DirtyRange[]> {
  await using folder = await temporaryFolder();
  const [copy, socket] = [folder.join('copy.qcow2'), folder.join('socket')];
  await copyFile(path, copy);
  const server = start('qemu-nbd', ['-f', 'qcow2', '-k', socket, '-B', bitmap, copy]);
  try {
    let ended = false;
    server.ended.finally(() => (ended = true)).catch(() => {});
    while (!existsSync(socket)) {
      assert.ok(!ended, server.stderr());
      await sleep(5);
    }
    const where = `driver=nbd,server.type=unix,server.path=${socket}`;
    const image = `${where},x-dirty-bitmap=qemu:dirty-bitmap:${bitmap}`;
    const extents = JSON.parse(
      await succeed('qemu-img', ['map', '--output=json', '--image-opts', image]),
    ) as { start: number; length: number; data: boolean }[];
    // QEMU's client shows what is dirty as what holds no data.
    return extents.filter(({ data }) => !data).map(({ start: offset, length }) => ({ offset, length }));
  } finally {
    server.child.kill();
    await server.ended;
  }
}
