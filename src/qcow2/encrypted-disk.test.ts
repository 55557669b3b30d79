import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  checkWithQemu,
  createWithLuks,
  createWithQemu,
  readWithQemu,
  writeWithQemu,
} from '../../test/support/encrypted-image.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { createLuks } from './encryption/create-luks.ts';
import { denyBacking, openQcow2, type Qcow2Disk } from './index.ts';

const MIB = 1 << 20;
const secret = 'correct horse';
const passphrase = Buffer.from(secret);

function open(path: string, writable = false): Promise<Qcow2Disk> {
  return openQcow2(path, { writable, backing: denyBacking, encryption: { passphrase } });
}

async function contents(disk: Qcow2Disk): Promise<Buffer> {
  const all = Buffer.alloc(disk.size);
  await disk.read(all, 0);
  return all;
}

/** Writes, zeros and discards at random places, also of parts of sectors; the model has what a read must say. */
async function scribble(disk: Qcow2Disk, model: Buffer, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const offset = randomInt(model.length - 1);
    const length = randomInt(1, Math.min(100_000, model.length - offset) + 1);
    const kind = randomInt(4);
    if (kind === 0) {
      await disk.writeZeroes(offset, length);
      model.fill(0, offset, offset + length);
    } else {
      const data = randomBytes(length);
      await disk.write(data, offset);
      model.set(data, offset);
    }
  }
}

describe('an encrypted image as a disk', () => {
  for (const format of ['luks', 'aes']) {
    it(`trap 33: ${format}: QEMU reads what we wrote over what it wrote, and finds nothing to say`, async () => {
      await using folder = await temporaryFolder();
      const image = { path: folder.join('disk.qcow2'), secret };
      await createWithQemu(image, { format });
      const model = Buffer.alloc(MIB);
      const first = randomBytes(300_000);
      await writeWithQemu(image, 65_536, first.subarray(0, 262_144));
      model.set(first.subarray(0, 262_144), 65_536);
      {
        await using disk = await open(image.path, true);
        assert.ok((await contents(disk)).equals(model), 'what QEMU wrote');
        await scribble(disk, model, 40);
        assert.ok((await contents(disk)).equals(model), 'what we wrote, before closing');
      }
      await checkWithQemu(image);
      assert.ok((await readWithQemu(image)).equals(model), 'as QEMU reads it');
    });
  }

  it('writes of one sector and its neighbours at one time lose nothing', async () => {
    await using folder = await temporaryFolder();
    const path = folder.join('disk.qcow2');
    await createWithLuks(
      path,
      await createLuks(passphrase, { iterations: { keySlot: 1000, masterKey: 1000 } }),
    );
    const model = randomBytes(65_536);
    await using disk = await open(path, true);
    await disk.write(model, 0);
    const writes: Promise<void>[] = [];
    for (let at = 0; at < 8192; at += 100) {
      const piece = randomBytes(100);
      model.set(piece, at);
      writes.push(disk.write(piece, at));
    }
    await Promise.all(writes);
    assert.ok((await contents(disk)).subarray(0, 65_536).equals(model));
  });

  it('no passphrase and a wrong one are `denied`, and nothing is left open', async () => {
    await using folder = await temporaryFolder();
    const path = folder.join('disk.qcow2');
    await createWithLuks(
      path,
      await createLuks(passphrase, { iterations: { keySlot: 1000, masterKey: 1000 } }),
    );
    await assert.rejects(openQcow2(path, { backing: denyBacking }), { code: 'denied' });
    const encryption = { passphrase: Buffer.from('wrong') };
    await assert.rejects(openQcow2(path, { backing: denyBacking, encryption }), { code: 'denied' });
    // The lock for writing is refused while anybody has the file open.
    await using _disk = await open(path, true);
  });
});
