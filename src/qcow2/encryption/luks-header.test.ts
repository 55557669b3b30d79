import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../../errors/index.ts';
import { createLuks } from './create-luks.ts';
import { LUKS_HEADER_BYTES } from './luks-fields.ts';
import { readLuksHeader } from './read-luks-header.ts';

const { bytes, areaLength } = await createLuks(Buffer.from('abc'), {
  iterations: { keySlot: 1500, masterKey: 1200 },
});
const SLOT = (index: number) => 208 + index * 48;

/** Reads a header that differs from a good one at `at`; no read is longer than the header. */
async function readChanged(at: number, value: Uint8Array, limits = {}, length = areaLength) {
  const changed = Buffer.from(bytes.subarray(0, LUKS_HEADER_BYTES));
  changed.set(value, at);
  const readStructure = async (_what: string, offset: number, size: number) => {
    assert.deepEqual([offset, size], [65_536, LUKS_HEADER_BYTES]);
    return changed;
  };
  return readLuksHeader({ path: 'a.qcow2', readStructure }, { offset: 65_536, length }, limits);
}

function u32(value: number): Buffer {
  const field = Buffer.alloc(4);
  field.writeUInt32BE(value);
  return field;
}

function name(text: string): Buffer {
  return Buffer.concat([Buffer.from(text)], 32);
}

test('a header that is in order is read whole', async () => {
  const header = await readChanged(0, Buffer.alloc(0));
  assert.deepEqual(header.cipher, { keyBytes: 64, mode: 'xts', ivgen: 'plain64' });
  assert.equal(header.hash, 'sha256');
  assert.equal(header.payloadOffset, areaLength);
  assert.equal(header.masterKeyIterations, 1200);
  assert.match(header.uuid, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual(
    header.keySlots.map(({ index, active, iterations, offset }) => [index, active, iterations, offset]),
    Array.from({ length: 8 }, (_, slot) => [slot, slot === 0, slot === 0 ? 1500 : 0, 4096 + slot * 258_048]),
  );
});

test('each field that is out of order is refused by its name and value', async () => {
  const cases: [field: string, at: number, value: Buffer, got: unknown, code?: 'unsupported'][] = [
    ['magic', 0, Buffer.from('LVKS'), '4c564b53babe'],
    ['version', 6, Buffer.of(0, 2), 2, 'unsupported'],
    ['cipher-name', 8, name('serpent'), 'serpent', 'unsupported'],
    ['cipher-name', 8, Buffer.alloc(32, 'a'), 'a'.repeat(32)],
    ['cipher-mode', 40, Buffer.alloc(32, 'x'), 'x'.repeat(32)],
    ['cipher-mode', 40, name('xts'), 'xts'],
    ['cipher-mode', 40, name('xts-plain64-x'), 'xts-plain64-x'],
    ['cipher-mode', 40, name('lrw-plain64'), 'lrw-plain64', 'unsupported'],
    ['cipher-mode', 40, name('xts-benbi'), 'xts-benbi', 'unsupported'],
    ['cipher-mode', 40, name('xts-plain64:'), '', 'unsupported'],
    ['cipher-mode', 40, name('xts-plain64:foo'), 'foo', 'unsupported'],
    ['cipher-mode', 40, name('xts-essiv'), 'xts-essiv'],
    ['cipher-mode', 40, name('xts-essiv:sha512'), 'xts-essiv:sha512'],
    ['hash-spec', 72, name('whirlpool'), 'whirlpool', 'unsupported'],
    ['hash-spec', 72, name('toString'), 'toString', 'unsupported'],
    ['hash-spec', 72, Buffer.alloc(32, 's'), 's'.repeat(32)],
    ['key-bytes', 108, u32(0), 0],
    ['key-bytes', 108, u32(16), 16],
    ['key-bytes', 108, u32(65), 65],
    ['key-bytes', 108, u32(0xffffffff), 0xffffffff],
    ['mk-digest-iterations', 164, u32(0), 0],
    ['mk-digest-iterations', 164, u32(0xffffffff), 0xffffffff],
    ['key slot 3 active', SLOT(3), u32(1), 1],
    ['key slot 0 iterations', SLOT(0) + 4, u32(0), 0],
    ['key slot 0 iterations', SLOT(0) + 4, u32(2 ** 25 + 1), 2 ** 25 + 1],
    ['key slot 7 stripes', SLOT(7) + 44, u32(3999), 3999],
    ['key slot 0 key-material-offset', SLOT(0) + 40, u32(7), 7],
    ['key slot 0 key-material-offset', SLOT(0) + 40, u32(9), 9],
    ['key slot 0 key-material-offset', SLOT(1) + 40, u32(507), 8],
    ['key slot 2 key-material-offset', SLOT(2) + 40, u32(0xffffffff), 0xffffffff],
    ['key slot 7 key-material-offset', 104, u32(areaLength / 512 - 5), 3536],
    ['key slot 0 key-material-offset', 104, u32(0), 8],
  ];
  for (const [field, at, value, got, code = 'invalid'] of cases) {
    await assert.rejects(
      readChanged(at, value),
      (error) => {
        assert.ok(CalveError.is(error, code), `${field} ${got}: ${error}`);
        assert.deepEqual(error.data, { field, value: got, path: 'a.qcow2' });
        assert.ok(error.message.startsWith(`a.qcow2: LUKS header: ${field}: expected `), error.message);
        return true;
      },
      `${field} ${got}`,
    );
  }
});

test('what does not matter may be anything', async () => {
  assert.equal((await readChanged(168, Buffer.alloc(40, 'u'))).uuid, 'u'.repeat(40));
  assert.equal((await readChanged(8, Buffer.from('aes\0rest'))).cipher.mode, 'xts');
  // An inactive slot's iterations; a payload offset past the key material.
  await readChanged(SLOT(3) + 4, u32(0xffffffff));
  assert.equal((await readChanged(104, u32(0xffffffff))).payloadOffset, 0xffffffff * 512);
});

test('only active key slots need bytes in the area', async () => {
  const end = 4096 + 256_000;
  await readChanged(0, Buffer.alloc(0), {}, end);
  await assert.rejects(readChanged(0, Buffer.alloc(0), {}, end - 1), { code: 'invalid' });
  await assert.rejects(readChanged(0, Buffer.alloc(0), {}, LUKS_HEADER_BYTES - 1), {
    code: 'invalid',
    message: 'a.qcow2: LUKS header: encryption header pointer length: expected at least 592, got 591',
  });
});

test('the caller says how many iterations are too many', async () => {
  await readChanged(0, Buffer.alloc(0), { maxIterations: 1500 });
  await assert.rejects(readChanged(0, Buffer.alloc(0), { maxIterations: 1499 }), {
    code: 'invalid',
    message: /key slot 0 iterations: expected at most 1499, got 1500/,
  });
  const most = await readChanged(SLOT(0) + 4, u32(2 ** 31 - 1), { maxIterations: Infinity });
  assert.equal(most.keySlots[0]?.iterations, 2 ** 31 - 1);
  await assert.rejects(readChanged(SLOT(0) + 4, u32(2 ** 31), { maxIterations: Infinity }), {
    code: 'invalid',
  });
});
