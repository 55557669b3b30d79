import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import {
  checkWithQemu,
  createWithLuks,
  imageBytes,
  readWithQemu,
  tryQemuIo,
  writeWithQemu,
} from '../../../test/support/encrypted-image.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { createLuks } from './create-luks.ts';
import { encryptionArea } from './encryption-area.ts';
import { type LuksOptions, luksSettings } from './luks-settings.ts';
import { unlockLuks } from './unlock-luks.ts';

const SECRET = 'pässwörd';
const iterations = { keySlot: 1001, masterKey: 1002 };

/** All that a new image can be given, each choice of one with some choice of the others. */
const IMAGES: LuksOptions[] = [
  {},
  { cipherAlg: 'aes-128', hashAlg: 'sha1' },
  { cipherAlg: 'aes-192', hashAlg: 'md5' },
  { cipherAlg: 'aes-192', ivgenAlg: 'essiv', hashAlg: 'sha512' },
  { ivgenAlg: 'plain', hashAlg: 'sha224' },
  { ivgenAlg: 'plain64', ivgenHashAlg: 'sha1', hashAlg: 'sha384' },
  { cipherMode: 'cbc', hashAlg: 'ripemd160' },
  { cipherMode: 'cbc', ivgenAlg: 'essiv' },
  { cipherAlg: 'aes-128', cipherMode: 'cbc', ivgenAlg: 'essiv', ivgenHashAlg: 'md5' },
  { cipherAlg: 'aes-128', cipherMode: 'cbc', ivgenAlg: 'plain' },
];

for (const options of IMAGES) {
  const name = Object.values(options).join(' ') || 'its defaults';
  test(`QEMU opens a header made with ${name}, and no other passphrase does`, async () => {
    await using folder = await temporaryFolder();
    const image = { path: folder.join('a.qcow2'), secret: SECRET };
    const luks = await createLuks(Buffer.from(SECRET), { ...options, iterations });
    await createWithLuks(image.path, luks);
    await checkWithQemu(image);
    const wrong = await tryQemuIo({ ...image, secret: 'passwort' }, 'read 0 512');
    assert.match(wrong.stderr, /Invalid password/);

    const data = randomBytes(65_536);
    await writeWithQemu(image, 131_072, data);
    const file = await imageBytes(image.path);
    const host = file.hostOffset(131_072);
    const position = { host, guest: 131_072 };
    const cluster = file.bytes.subarray(host, host + data.length);
    // By the cipher that creating gave, and by one that the passphrase opens.
    luks.cipher.decrypt(cluster, position);
    assert.ok(data.equals(cluster));
    using unlocked = await unlockLuks(file, encryptionArea(file.header), Buffer.from(SECRET));
    randomBytes(data.length).copy(cluster);
    cluster.copy(data);
    unlocked.encrypt(cluster, position);
    await writeFile(image.path, file.bytes);
    const disk = await readWithQemu(image);
    assert.ok(data.equals(disk.subarray(131_072, 131_072 + data.length)), 'as QEMU reads it');
  });
}

test('nothing random is used twice', async () => {
  const [one, other] = await Promise.all([
    createLuks(Buffer.from(SECRET), { iterations }),
    createLuks(Buffer.from(SECRET), { iterations }),
  ]);
  // mk-digest, mk-digest-salt, uuid, salt of key slot 0, and any 16 bytes of its key material.
  for (const [from, to] of [
    [112, 132],
    [132, 164],
    [168, 208],
    [216, 248],
    [4096, 4112],
    [4096 + 255_984, 4096 + 256_000],
  ] as const) {
    assert.notDeepEqual(one.bytes.subarray(from, to), other.bytes.subarray(from, to), `${from}`);
  }
  const bytes = [Buffer.alloc(512), Buffer.alloc(512)] as const;
  one.cipher.encrypt(bytes[0], { host: 0, guest: 0 });
  other.cipher.encrypt(bytes[1], { host: 0, guest: 0 });
  assert.notDeepEqual(...bytes);
});

test('iterations are measured for the time that is asked for, and are at least 1000', () => {
  const { keySlot, masterKey } = luksSettings({ iterTime: 10_000 });
  // A key of 64 bytes takes two digests of sha256, and the master key's digest an eighth of the time.
  assert.ok(Math.abs(keySlot / masterKey - 4) < 0.01, `${keySlot} / ${masterKey}`);
  assert.ok(keySlot > 10_000, `${keySlot}`);
  const least = luksSettings({ iterTime: 0.001 });
  assert.deepEqual([least.keySlot, least.masterKey], [1000, 1000]);
  assert.equal(luksSettings({ iterTime: 1e12 }).keySlot, 2 ** 31 - 1);
});

test('options that cannot be are refused', async () => {
  const refused: [object, string][] = [
    [{ cipherAlg: 'serpent-256' }, 'usage'],
    [{ cipherAlg: 'toString' }, 'usage'],
    [{ cipherMode: 'ecb' }, 'usage'],
    [{ cipherMode: 'ctr' }, 'usage'],
    [{ cipherAlg: 'aes-192', cipherMode: 'cbc' }, 'unsupported'],
    [{ ivgenAlg: 'benbi' }, 'unsupported'],
    [{ ivgenAlg: 'essiv', ivgenHashAlg: 'sha1' }, 'invalid'],
    [{ hashAlg: 'whirlpool' }, 'unsupported'],
    [{ iterTime: 0, iterations: undefined }, 'usage'],
    [{ iterations: { keySlot: 0, masterKey: 1000 } }, 'usage'],
    [{ iterations: { keySlot: 1000, masterKey: 2 ** 31 } }, 'usage'],
  ];
  for (const [options, code] of refused) {
    const all = { iterations, ...options };
    await assert.rejects(createLuks(Buffer.from(SECRET), all), { code }, JSON.stringify(options));
  }
  const signal = AbortSignal.abort();
  await assert.rejects(createLuks(Buffer.from(SECRET), { iterations, signal }), { code: 'aborted' });
});
