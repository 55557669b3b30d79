import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seededRandom } from '../../test/support/random.ts';
import {
  type CrashOptions,
  crashStates,
  type DiskLog,
  MemoryDisk,
  recordingDisk,
  replay,
  type WritableDisk,
} from './index.ts';

const SIZE = 8192;
const sector = (value: number, count = 1) => Buffer.alloc(512 * count, value);

/** What every crash state leaves of a disk that read zeros, with its description. */
async function* leftBy(log: DiskLog, options: CrashOptions) {
  for (const state of crashStates(log, options)) {
    await using onto = new MemoryDisk(SIZE);
    await replay(log, state.cut, state.lost, onto);
    const bytes = Buffer.alloc(SIZE);
    await onto.read(bytes, 0);
    yield { bytes, cut: state.cut, words: `${state}` };
  }
}

/** The distinct values of the first byte of sectors 0 to `count`, as text. */
async function outcomes(log: DiskLog, options: CrashOptions, count: number): Promise<Set<string>> {
  const found = new Set<string>();
  for await (const { bytes } of leftBy(log, options)) {
    found.add(Array.from({ length: count }, (_, index) => bytes[index * 512]).join(''));
  }
  return found;
}

/** A counter kept in two places in turn: with the flush, one of them is whole and new at any time. */
async function count(disk: WritableDisk, flushes: boolean, onDone: (value: number) => void): Promise<void> {
  for (let value = 1; value <= 6; value += 1) {
    await disk.write(sector(value, 3), value % 2 === 0 ? 0 : 4096);
    if (flushes) await disk.flush();
    await disk.write(sector(value), 2048);
    await disk.flush();
    onDone(value);
  }
}

/** Whether the place that sector 4 points at holds what it says. */
function isWhole(bytes: Buffer): boolean {
  const value = bytes[2048] ?? 0;
  const at = value % 2 === 0 ? 0 : 4096;
  return value === 0 || bytes.subarray(at, at + 1536).equals(sector(value, 3));
}

describe('crashStates', () => {
  it('gives every subset of what is not flushed, at each cut, where there is room for all', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.write(sector(1), 0);
    await disk.flush();
    for (const index of [1, 2, 3]) await disk.write(sector(1), 512 * index);
    const options = { random: seededRandom(1), samples: 8, torn: false };
    const expected = ['0000', '1000', '1100', '1010', '1110', '1001', '1101', '1011', '1111'];
    assert.deepEqual([...(await outcomes(disk.log, options, 4))].sort(), expected.sort());
    // 2 after the write, 1 after the flush, then 2, 4 and 8, and 8 at the end.
    assert.equal([...crashStates(disk.log, options)].length, 2 + 1 + 2 + 4 + 8 + 8);
  });

  it('samples where there is not, nothing and everything lost among them', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    for (let index = 0; index < 10; index += 1) await disk.write(sector(1), 512 * index);
    const cuts = [disk.log.moment];
    const found = await outcomes(disk.log, { random: seededRandom(1), samples: 200, torn: false, cuts }, 10);
    assert.ok(found.has('1111111111') && found.has('0000000000'));
    const ones = [...found].map((text) => text.replaceAll('0', '').length);
    assert.ok(ones.includes(1) && ones.includes(9) && ones.includes(5), 'one kept, one lost, half of each');
    for (let index = 0; index < 10; index += 1) {
      const only = '0000000000'.split('').with(index, '1').join('');
      assert.ok(found.has(only), `${only} is found`);
    }
    for (const samples of [0, 1, 2, 3]) {
      const states = [...crashStates(disk.log, { random: seededRandom(1), samples, cuts })];
      assert.equal(states.length, samples);
    }
  });

  it('tears operations: starts, ends, and sectors from the middle', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.write(sector(1, 4), 0);
    const options = { random: seededRandom(1), samples: 400, cuts: [disk.log.moment] };
    assert.equal((await outcomes(disk.log, options, 4)).size, 16);
    const whole = await outcomes(disk.log, { ...options, torn: false }, 4);
    assert.deepEqual([...whole].sort(), ['0000', '1111']);
  });

  it('loses starts and ends of long operations, not only single sectors', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.write(sector(1, 16), 0);
    const options = { random: seededRandom(1), samples: 60, cuts: [disk.log.moment] };
    const found = [...(await outcomes(disk.log, options, 16))];
    assert.ok(found.filter((text) => /^0+1+$/.test(text)).length > 3);
    assert.ok(found.filter((text) => /^1+0+$/.test(text)).length > 3);
    assert.ok(found.filter((text) => /1.*01|0.*10/.test(text)).length > 3);
  });

  it('brings the same states back for the same seed, each the same whenever it is replayed', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    for (let index = 0; index < 6; index += 1) await disk.write(sector(1, 2), 700 * index);
    const run = async () => {
      const found: string[] = [];
      const options = { random: seededRandom(5), samples: 20 };
      for await (const { bytes, words } of leftBy(disk.log, options))
        found.push(words, bytes.toString('hex'));
      return found;
    };
    assert.deepEqual(await run(), await run());
    const [state] = [...crashStates(disk.log, { random: seededRandom(8), samples: 40 })].slice(-1);
    assert.ok(state);
    const [first, second] = await Promise.all(
      [0, 1].map(async () => {
        const onto = new MemoryDisk(SIZE);
        await replay(disk.log, state.cut, state.lost, onto);
        const bytes = Buffer.alloc(SIZE);
        await onto.read(bytes, 0);
        return bytes;
      }),
    );
    assert.deepEqual(first, second);
  });

  it('finds nothing wrong with a writer that flushes in the right places, and keeps what it acknowledged', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    const done: { value: number; moment: number }[] = [];
    await count(disk, true, (value) => done.push({ value, moment: disk.log.moment }));
    let states = 0;
    for await (const { bytes, cut, words } of leftBy(disk.log, { random: seededRandom(2), samples: 16 })) {
      states += 1;
      assert.ok(isWhole(bytes), words);
      const acknowledged = done.findLast(({ moment }) => moment <= cut)?.value ?? 0;
      assert.ok((bytes[2048] ?? 0) >= acknowledged, words);
    }
    assert.ok(states > 100);
  });

  it('finds what is wrong with one that leaves a flush out', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await count(disk, false, () => undefined);
    const wrong: string[] = [];
    for await (const { bytes, words } of leftBy(disk.log, { random: seededRandom(2), samples: 16 })) {
      if (!isWhole(bytes)) wrong.push(words);
    }
    assert.ok(wrong.length > 0);
    assert.match(wrong[0] ?? '', /^cut at moment \d+, lost: .*write \d+ of 1536 bytes at (0|4096)/);
  });

  it('does not take apart a change of size, however large', async () => {
    await using disk = recordingDisk(new MemoryDisk(0));
    await disk.resize?.(2 ** 50);
    const sizes = new Set<number>();
    for (const state of crashStates(disk.log, { random: seededRandom(1), samples: 10 })) {
      const onto = new MemoryDisk(0);
      await replay(disk.log, state.cut, state.lost, onto);
      sizes.add(onto.size);
      assert.doesNotMatch(`${state}`, /sector/);
    }
    assert.deepEqual([...sizes].sort(), [0, 2 ** 50]);
  });
});
