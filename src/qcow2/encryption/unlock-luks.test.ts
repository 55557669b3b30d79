import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { copyFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import {
  amendWithQemu,
  createWithLuks,
  imageBytes,
  writeWithQemu,
} from '../../../test/support/encrypted-image.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../test/support/temporary.ts';
import { openFile } from '../../host/index.ts';
import { ImageFile } from '../image-file.ts';
import { readHeader } from '../read-header.ts';
import { createLuks } from './create-luks.ts';
import { encryptionArea } from './encryption-area.ts';
import { openEncryption } from './open-encryption.ts';
import { unlockLuks } from './unlock-luks.ts';

let folder: TemporaryFolder;
const data = randomBytes(65_536);

before(async () => {
  folder = await temporaryFolder();
  const image = { path: folder.join('base.qcow2'), secret: 'first' };
  const luks = await createLuks(Buffer.from(image.secret), {
    hashAlg: 'sha1',
    iterations: { keySlot: 1000, masterKey: 1000 },
  });
  await createWithLuks(image.path, luks);
  await writeWithQemu(image, 131_072, data);
});
after(() => folder[Symbol.asyncDispose]());

async function copyOfBase(name: string): Promise<string> {
  const path = folder.join(`${name}.qcow2`);
  await copyFile(folder.join('base.qcow2'), path);
  return path;
}

/** What `passphrase` makes of the data that QEMU wrote. */
async function decrypted(path: string, passphrase: string): Promise<Buffer> {
  const image = await imageBytes(path);
  using cipher = await unlockLuks(image, encryptionArea(image.header), Buffer.from(passphrase));
  const host = image.hostOffset(131_072);
  const bytes = Buffer.from(image.bytes.subarray(host, host + data.length));
  cipher.decrypt(bytes, { host, guest: 131_072 });
  return bytes;
}

test('the passphrase of any key slot that QEMU filled opens the image, and one that it emptied does not', async () => {
  const path = await copyOfBase('slots');
  const others = ['second ☃', 'x'.repeat(300)];
  for (const passphrase of others) {
    await amendWithQemu({ path, secret: 'first' }, passphrase, {
      state: 'active',
      'new-secret': 'n',
      'iter-time': '1',
    });
  }
  await amendWithQemu({ path, secret: 'second ☃' }, 'first', { state: 'inactive', 'old-secret': 'n' });
  for (const passphrase of others) assert.deepEqual(await decrypted(path, passphrase), data, passphrase);
  await assert.rejects(decrypted(path, 'first'), {
    code: 'denied',
    message: `${path}: the passphrase opens none of its 2 active key slots`,
    data: { path, activeKeySlots: 2 },
  });
});

test('a wrong passphrase is denied: a longer one, a shorter one, none', async () => {
  const path = folder.join('base.qcow2');
  for (const passphrase of ['firs', 'first ', 'First', '']) {
    await assert.rejects(decrypted(path, passphrase), { code: 'denied' }, passphrase);
  }
  const image = await imageBytes(path);
  await assert.rejects(openEncryption(image, image.header, {}), {
    code: 'denied',
    message: `${path}: expected a passphrase, as the image is encrypted`,
  });
});

test('an image without an active key slot is denied for what it is', async () => {
  const image = await imageBytes(folder.join('base.qcow2'));
  const area = encryptionArea(image.header);
  image.bytes.writeUInt32BE(0xdead, area.offset + 208);
  await assert.rejects(unlockLuks(image, area, Buffer.from('first')), {
    code: 'denied',
    message: /no key slot is active/,
  });
});

test('key material that the file does not hold is corrupt, and found out before any work', async () => {
  const image = await imageBytes(folder.join('base.qcow2'));
  const area = encryptionArea(image.header);
  image.bytes.writeUInt32BE(2 ** 25, area.offset + 208 + 4);
  const cut = { path: 'cut.qcow2', readStructure: image.readStructure };
  const readStructure: typeof image.readStructure = (what, offset, length) => {
    if (length > 592) return image.readStructure(what, image.bytes.length, length);
    return image.readStructure(what, offset, length);
  };
  await assert.rejects(unlockLuks({ ...cut, readStructure }, area, Buffer.from('first')), {
    code: 'corrupt',
    message: /the key material of LUKS key slot 0/,
  });
});

test('aborting ends the wait for the key at once', { timeout: 60_000 }, async () => {
  const image = await imageBytes(folder.join('base.qcow2'));
  const area = encryptionArea(image.header);
  const passphrase = Buffer.from('first');
  // A second of work, which nobody waits for.
  image.bytes.writeUInt32BE(200_000, area.offset + 208 + 4);
  const reason = new Error('enough');
  const abort = { code: 'aborted', cause: reason };
  const signal = AbortSignal.abort(reason);
  await assert.rejects(unlockLuks(image, area, passphrase, { signal }), abort);
  const controller = new AbortController();
  const unlocking = unlockLuks(image, area, passphrase, { signal: controller.signal });
  setImmediate(() => controller.abort(reason));
  await assert.rejects(unlocking, abort);
});

test('an engine opens what its file and its header say, and plain images have no cipher', async () => {
  const path = folder.join('base.qcow2');
  await using host = await openFile(path);
  const header = await readHeader(host);
  const file = new ImageFile(host);
  using cipher = await openEncryption(file, header, { passphrase: Buffer.from('first') });
  assert.ok(cipher);
  const at = { host: (await imageBytes(path)).hostOffset(131_072), guest: 131_072 };
  const bytes = await file.readStructure('guest data', at.host, data.length);
  cipher.decrypt(bytes, at);
  assert.deepEqual(Buffer.from(bytes), data);
  const none = { ...header, cryptMethod: 'none' as const };
  assert.equal(await openEncryption(file, { ...none, extensions: [] }, {}), undefined);
  await assert.rejects(openEncryption(file, none, {}), {
    code: 'invalid',
    message: /encryption header pointer: expected none, as crypt_method is none, got one/,
  });
});
