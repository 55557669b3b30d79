import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../test/support/random.ts';
import { SEED } from '../../../test/support/suite.ts';
import { ChangedBlocks } from './changed-blocks.ts';

const BLOCK = 4096;

test('marked ranges are those of a model, cut to what is asked for', () => {
  const random = seededRandom(SEED);
  const below = (end: number): number => Math.floor(random() * end);
  for (let round = 0; round < 100; round += 1) {
    const size = 1 + below(60 * BLOCK);
    const changed = new ChangedBlocks(size);
    assert.equal(changed.blockSize, BLOCK);
    const model: boolean[] = Array.from({ length: Math.ceil(size / BLOCK) }, () => false);
    for (let count = below(6); count > 0; count -= 1) {
      const offset = below(size);
      const length = 1 + below(30 * BLOCK);
      changed.mark({ offset, length });
      model.fill(true, Math.floor(offset / BLOCK), Math.ceil((offset + length) / BLOCK));
    }
    for (let count = 0; count < 10; count += 1) {
      const offset = below(size);
      const end = offset + 1 + below(size - offset);
      const expected: { offset: number; length: number }[] = [];
      for (let block = Math.floor(offset / BLOCK); block * BLOCK < end; block += 1) {
        if (model[block] !== true) continue;
        const start = Math.max(offset, block * BLOCK);
        const length = Math.min(end, (block + 1) * BLOCK) - start;
        const last = expected.at(-1);
        if (last !== undefined && last.offset + last.length === start) last.length += length;
        else expected.push({ offset: start, length });
      }
      assert.equal(changed.has(offset, end - offset), expected.length > 0);
      assert.deepEqual([...changed.within(offset, end - offset)], expected);
    }
  }
});

test('a disk of any size takes a few MiB, and what lies past its end is nowhere', () => {
  const changed = new ChangedBlocks(2 ** 50);
  assert.equal(changed.blockSize, 2 ** 25);
  changed.mark({ offset: 2 ** 49 + 5, length: 1 });
  assert.deepEqual([...changed.within(0, 2 ** 50)], [{ offset: 2 ** 49, length: 2 ** 25 }]);
  const small = new ChangedBlocks(4096);
  small.mark({ offset: 8192, length: 10 });
  assert.ok(!small.has(0, 20_000));
});
