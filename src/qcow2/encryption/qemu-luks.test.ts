import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  createWithQemu,
  type EncryptOptions,
  type ImageBytes,
  imageBytes,
  readWithQemu,
  writeWithQemu,
} from '../../../test/support/encrypted-image.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { createLuks } from './create-luks.ts';
import { encryptionArea, encryptionExtension } from './encryption-area.ts';
import { unlockLuks } from './unlock-luks.ts';

const SECRET = 'correct horse';
const CLUSTER = 65_536;
/** Clusters that QEMU allocates in this order, so that host and guest offsets differ each in its own way. */
const CLUSTERS = [9, 2, 3];

/** Every mode, key length, IV generator and most hashes that QEMU offers for AES, in as few images as can be. */
const IMAGES: EncryptOptions[] = [
  {},
  { 'cipher-alg': 'aes-192', 'ivgen-alg': 'plain', 'hash-alg': 'sha1' },
  { 'cipher-alg': 'aes-128', 'ivgen-alg': 'essiv', 'hash-alg': 'sha512' },
  { 'cipher-mode': 'cbc', 'ivgen-alg': 'essiv', 'ivgen-hash-alg': 'sha256', 'hash-alg': 'ripemd160' },
  { 'cipher-alg': 'aes-128', 'cipher-mode': 'ctr', 'ivgen-alg': 'essiv', 'ivgen-hash-alg': 'md5' },
  { 'cipher-alg': 'aes-128', 'cipher-mode': 'ecb', 'ivgen-hash-alg': 'sha224', 'hash-alg': 'md5' },
];

for (const options of IMAGES) {
  const name = Object.values(options).join(' ') || 'its defaults';
  test(`what QEMU writes with ${name} is decrypted, and what is encrypted here QEMU reads`, async () => {
    await using folder = await temporaryFolder();
    const image = { path: folder.join('a.qcow2'), secret: SECRET };
    await createWithQemu(image, { format: 'luks', ...options });
    const disk = Buffer.alloc(1024 ** 2);
    for (const cluster of CLUSTERS) {
      const data = randomBytes(CLUSTER);
      data.copy(disk, cluster * CLUSTER);
      await writeWithQemu(image, cluster * CLUSTER, data);
    }

    const file = await imageBytes(image.path);
    const area = encryptionArea(file.header);
    using cipher = await unlockLuks(file, area, Buffer.from(SECRET));
    for (const cluster of CLUSTERS) {
      const guest = cluster * CLUSTER;
      const host = file.hostOffset(guest);
      const data = file.bytes.subarray(host, host + CLUSTER);
      cipher.decrypt(data, { host, guest });
      assert.ok(disk.subarray(guest, guest + CLUSTER).equals(data), `cluster ${cluster}`);
      randomBytes(3 * 512).copy(data, 5 * 512);
      data.copy(disk, guest);
      // In pieces, of which each but the first begins inside the cluster.
      for (const [from, to] of [
        [0, 512],
        [512, 40_960],
        [40_960, CLUSTER],
      ] as const) {
        cipher.encrypt(data.subarray(from, to), { host: host + from, guest: guest + from });
      }
    }
    await writeFile(image.path, file.bytes);
    assert.ok(disk.equals(await readWithQemu(image)), 'as QEMU reads it');
    if (name === 'its defaults') await sameHeader(file);
  });
}

/** Asserts that our header for the same options differs from QEMU's in nothing but what is random or measured. */
async function sameHeader(file: ImageBytes): Promise<void> {
  const area = encryptionArea(file.header);
  const iterations = { keySlot: 1000, masterKey: 1000 };
  const luks = await createLuks(Buffer.from(SECRET), { iterations });
  const comparable = (from: Uint8Array) => {
    const header = Buffer.from(from.subarray(0, 4096));
    // mk-digest, its salt and iterations, uuid; iterations and salt of key slot 0.
    header.fill(0, 112, 208).fill(0, 212, 248);
    return header.toString('hex');
  };
  const theirs = file.bytes.subarray(area.offset);
  assert.equal(comparable(luks.bytes), comparable(theirs));
  assert.match(Buffer.from(luks.bytes.subarray(168, 208)).toString(), /^[0-9a-f-]{36}\0{4}$/);
  assert.equal(luks.bytes.length, 4096 + 64 * 4000);
  assert.ok(theirs.subarray(luks.bytes.length, area.length).every((byte) => byte === 0));

  const extension = encryptionExtension({ ...area, length: luks.areaLength });
  assert.deepEqual(
    file.header.extensions.find(({ type }) => type === extension.type),
    extension,
  );
}
