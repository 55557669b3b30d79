import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  createWithQemu,
  imageBytes,
  readWithQemu,
  writeWithQemu,
} from '../../../test/support/encrypted-image.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { legacyAesCipher } from './legacy-aes-cipher.ts';
import { openEncryption } from './open-encryption.ts';

const CLUSTER = 65_536;

for (const [length, secret] of [
  ['shorter than', 'abc'],
  ['as long as', '0123456789abcdef'],
  ['longer than', '0123456789abcdefgh'],
] as const) {
  test(`QEMU and we read each other's legacy AES, with a passphrase ${length} the key`, async () => {
    await using folder = await temporaryFolder();
    const image = { path: folder.join('a.qcow2'), secret };
    await createWithQemu(image, { format: 'aes' });
    const disk = Buffer.alloc(1024 ** 2);
    // The first cluster to be written is not the first of the disk: the offsets differ.
    for (const cluster of [11, 4]) {
      const data = randomBytes(CLUSTER);
      data.copy(disk, cluster * CLUSTER);
      await writeWithQemu(image, cluster * CLUSTER, data);
    }

    const file = await imageBytes(image.path);
    using cipher = await openEncryption(file, file.header, { passphrase: Buffer.from(secret) });
    assert.ok(cipher);
    for (const cluster of [11, 4]) {
      const guest = cluster * CLUSTER;
      const host = file.hostOffset(guest);
      const data = file.bytes.subarray(host, host + CLUSTER);
      cipher.decrypt(data, { host, guest });
      assert.ok(disk.subarray(guest, guest + CLUSTER).equals(data), `cluster ${cluster}`);
      randomBytes(CLUSTER).copy(data);
      data.copy(disk, guest);
      cipher.encrypt(data, { host, guest });
    }
    await writeFile(image.path, file.bytes);
    assert.ok(disk.equals(await readWithQemu(image)), 'as QEMU reads it');
  });
}

test('only the first 16 bytes of a passphrase count, and the host offset never does', () => {
  const encrypted = (passphrase: string, host: number, guest: number) => {
    using cipher = legacyAesCipher(Buffer.from(passphrase));
    const bytes = Buffer.alloc(1024);
    cipher.encrypt(bytes, { host, guest });
    return bytes.toString('hex');
  };
  const expected = encrypted('0123456789abcdef', 0, 512);
  assert.equal(encrypted('0123456789abcdefXYZ', 65_536, 512), expected);
  assert.notEqual(encrypted('0123456789abcdeX', 0, 512), expected);
  assert.notEqual(encrypted('0123456789abcdef', 0, 1024), expected);
  assert.equal(encrypted('abc', 0, 0), encrypted('abc\0', 0, 0));
});
