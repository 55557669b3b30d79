import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import {
  createWithLuks,
  type ImageBytes,
  imageBytes,
  readStructure,
  tryQemuIo,
} from '../../../test/support/encrypted-image.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { CalveError } from '../../errors/index.ts';
import { decodeHeader } from '../header.ts';
import { createLuks } from './create-luks.ts';
import { encryptionArea } from './encryption-area.ts';
import { openEncryption } from './open-encryption.ts';

const SECRET = 'abc';
const EXPECTED = ['invalid', 'unsupported', 'corrupt', 'denied'] as const;

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const path = folder.join('good.qcow2');
// The least key material there is, so that an image is small and quick to open.
const luks = await createLuks(Buffer.from(SECRET), {
  cipherAlg: 'aes-128',
  cipherMode: 'cbc',
  iterations: { keySlot: 1000, masterKey: 1000 },
});
await createWithLuks(path, luks);
const good = await imageBytes(path);
const area = encryptionArea(good.header).offset;
const pointer = good.bytes.indexOf(Buffer.from('0537be77', 'hex')) + 8;
const SLOT = (index: number) => area + 208 + index * 48;

/** Whether we open the image: every refusal is typed, and no read is larger than the largest key material. */
async function opens(bytes: Buffer): Promise<boolean> {
  const source: Pick<ImageBytes, 'path' | 'readStructure'> = {
    path: 'hostile.qcow2',
    readStructure(what, offset, length) {
      assert.ok(length <= 64 * 4000, `a read of ${length} bytes`);
      return readStructure(bytes, what, offset, length);
    },
  };
  try {
    const options = { passphrase: Buffer.from(SECRET), maxIterations: 5000 };
    const cipher = await openEncryption(source, decodeHeader(bytes), options);
    assert.ok(cipher);
    cipher[Symbol.dispose]();
    return true;
  } catch (error) {
    assert.ok(
      EXPECTED.some((code) => CalveError.is(error, code)),
      String(error),
    );
    return false;
  }
}

async function qemuOpens(bytes: Buffer): Promise<boolean> {
  const image = { path: folder.join('hostile.qcow2'), secret: SECRET };
  await writeFile(image.path, bytes);
  const ran = await tryQemuIo(image, 'read 0 512');
  return ran.code === 0;
}

function changed(at: number, value: number, width: 2 | 4 | 8 = 4): Buffer {
  const bytes = Buffer.from(good.bytes);
  if (width === 8) bytes.writeBigUInt64BE(BigInt(value), at);
  else bytes.writeUIntBE(value, at, width);
  return bytes;
}

test('a header whose numbers are off is refused or taken as QEMU does', async () => {
  const payload = good.bytes.readUInt32BE(area + 104);
  const cases: [what: string, at: number, values: number[], width?: 2 | 4 | 8][] = [
    ['version', area + 6, [0, 1, 2], 2],
    ['payload-offset', area + 104, [0, 8, payload - 1, payload, payload + 1, 0xffffffff]],
    ['key-bytes', area + 108, [0, 15, 16, 17, 24, 32, 64, 0xffffffff]],
    ['mk-digest-iterations', area + 164, [0, 1, 1000]],
    ['slot 0 active', SLOT(0), [0, 0xdead, 0x00ac71f3, 0xffffffff]],
    ['slot 0 iterations', SLOT(0) + 4, [0, 999]],
    ['slot 0 key-material-offset', SLOT(0) + 40, [0, 7, 9, 133, payload - 128, payload, 0xffffffff]],
    ['slot 0 stripes', SLOT(0) + 44, [0, 3999, 4001, 0xffffffff]],
    ['slot 5 active', SLOT(5), [0, 0x00ac71f3]],
    ['slot 5 iterations', SLOT(5) + 4, [7, 0xffffffff]],
    ['slot 5 key-material-offset', SLOT(5) + 40, [0, 8, payload - 128, payload - 1, payload * 2]],
    ['slot 5 stripes', SLOT(5) + 44, [0, 1]],
    ['pointer offset', pointer, [0, 512, area - 65_536, area + 512, area + 65_536, 2 ** 62], 8],
    ['pointer length', pointer + 8, [0, 591, 592, 68_095, 68_096, 2 ** 40], 8],
  ];
  for (const [what, at, values, width] of cases) {
    for (const value of values) {
      const bytes = changed(at, value, width);
      assert.equal(await opens(bytes), await qemuOpens(bytes), `${what} ${value}`);
    }
  }
});

test('two headers that QEMU takes are refused: for both it lets a sum wrap around', async () => {
  const wraps = [changed(SLOT(5) + 40, 0xffffffff), changed(pointer + 8, 0)];
  // The pointer's length is 2^64 - 1, no number that JavaScript has.
  wraps[1]?.fill(0xff, pointer + 8, pointer + 16);
  for (const bytes of wraps) {
    assert.equal(await qemuOpens(bytes), true);
    assert.equal(await opens(bytes), false);
  }
});

test('any byte of the header that is changed is found out, or does not matter to QEMU either', async () => {
  const random = seededRandom(33);
  const pick = (count: number) => Math.floor(random() * count);
  for (let round = 0; round < 60; round += 1) {
    const bytes = Buffer.from(good.bytes);
    const at = pick(592);
    // Iterations in the millions and more: QEMU does them, we refuse.
    if ([164, 165, 212, 213].includes(at)) continue;
    bytes[area + at] = (bytes[area + at] ?? 0) ^ (1 + pick(255));
    assert.equal(await opens(bytes), await qemuOpens(bytes), `byte ${at}`);
  }
});

test('headers of rubbish are refused by a typed error, and quickly', { timeout: 120_000 }, async () => {
  const random = seededRandom(1);
  const pick = (count: number) => Math.floor(random() * count);
  const telling = [0, 1, 8, 16, 592, 4000, 0xdead, 0x00ac71f3, 0x7fffffff, 0x80000000, 0xffffffff];
  for (let round = 0; round < 1000; round += 1) {
    const bytes = Buffer.from(good.bytes);
    for (let changes = 1 + pick(4); changes > 0; changes -= 1) {
      const inPointer = pick(8) === 0;
      const at = inPointer ? pointer + 4 * pick(4) : area + 2 * pick(295);
      bytes.writeUInt32BE(pick(2) ? pick(2 ** 32) : (telling[pick(telling.length)] ?? 0), at);
    }
    const cut = pick(4) === 0 ? area + pick(70_000) : bytes.length;
    await opens(bytes.subarray(0, cut));
  }
});
