import assert from 'node:assert/strict';
import { join } from 'node:path';
import {
  type CreateOptions,
  checkQcow2,
  createQcow2,
  denyBacking,
  followDataFile,
  openQcow2,
  type Qcow2Disk,
} from '../../src/qcow2/index.ts';
import { type Change, contentAfter, diskSize } from './change.ts';
import type { Combination } from './combination.ts';
import { PASSPHRASE } from './qemu-image.ts';

/** Makes an image with calve; legacy AES it does not make. */
export async function createWithCalve(folder: string, name: string, one: Combination): Promise<void> {
  const { dataFile, encryption, ...rest } = one;
  const options: CreateOptions = {
    ...rest,
    size: diskSize(one),
    ...(dataFile === 'none' ? {} : { dataFile: `${name}.data`, dataFileRaw: dataFile === 'raw' }),
    ...(encryption === 'luks'
      ? {
          encryption: { passphrase: Buffer.from(PASSPHRASE), iterations: { keySlot: 1000, masterKey: 1000 } },
        }
      : {}),
  };
  await createQcow2(join(folder, name), options);
}

/** Reads that an image holds what some changes led to, and makes others. */
export async function playWithCalve(
  folder: string,
  name: string,
  one: Combination,
  before: readonly Change[],
  changes: readonly Change[],
): Promise<void> {
  const disk = await openQcow2(join(folder, name), {
    writable: changes.length > 0,
    backing: denyBacking,
    ...(one.encryption === 'none' ? {} : { encryption: { passphrase: Buffer.from(PASSPHRASE) } }),
    dataFile: followDataFile(),
  });
  try {
    const bytes = Buffer.alloc(disk.size, 0xa5);
    await disk.read(bytes, 0);
    const expected = contentAfter(diskSize(one), before);
    if (!bytes.equals(expected)) {
      const at = bytes.findIndex((byte, index) => byte !== expected[index]);
      assert.fail(`calve reads ${bytes[at]} at ${at}, and ${expected[at]} was written`);
    }
    for (const change of changes) await make(disk, change);
  } finally {
    await disk.close();
  }
}

async function make(disk: Qcow2Disk, { kind, offset, length, value }: Change): Promise<void> {
  switch (kind) {
    case 'write':
      return disk.write(Buffer.alloc(length, value), offset);
    case 'compress':
      return disk.writeCompressed(Buffer.alloc(length, value), offset);
    case 'zero':
      return disk.writeZeroes(offset, length);
    default:
      return disk.discard(offset, length);
  }
}

/** Asserts that calve's check finds nothing to say. */
export async function checkWithCalve(folder: string, name: string): Promise<void> {
  const { corruptions, leaks, checkErrors, findings } = await checkQcow2(join(folder, name));
  assert.equal(corruptions + leaks + checkErrors, 0, JSON.stringify(findings[0]));
}
