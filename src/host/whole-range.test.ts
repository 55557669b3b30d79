import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wholeRange, wholeRangeSync } from './whole-range.ts';

const interrupted = () => Object.assign(new Error('EINTR: interrupted system call, read'), { code: 'EINTR' });

/** A kernel that does what the list says, call by call, and remembers what it was asked. */
function kernel(...answers: (number | Error)[]) {
  const asked: [number, number][] = [];
  const step = (done: number, length: number): number => {
    asked.push([done, length]);
    const answer = answers.shift() ?? assert.fail('one call too many');
    if (typeof answer === 'number') return answer;
    throw answer;
  };
  return { asked, step };
}

for (const [name, whole] of [
  [
    'wholeRangeSync',
    async (length: number, step: (done: number, rest: number) => number) => wholeRangeSync(length, step),
  ],
  [
    'wholeRange',
    (length: number, step: (done: number, rest: number) => number) =>
      wholeRange(length, async (done, rest) => step(done, rest)),
  ],
] as const) {
  describe(name, () => {
    it('goes on after a short call where that left off', async () => {
      const { asked, step } = kernel(3, 1, 6);
      assert.equal(await whole(10, step), 10);
      assert.deepEqual(asked, [
        [0, 10],
        [3, 7],
        [4, 6],
      ]);
    });

    it('ends where a call does nothing', async () => {
      assert.equal(await whole(10, kernel(3, 0).step), 3);
    });

    it('makes an interrupted call again', async () => {
      const { asked, step } = kernel(2, interrupted(), interrupted(), 8);
      assert.equal(await whole(10, step), 10);
      assert.deepEqual(asked.slice(1), [
        [2, 8],
        [2, 8],
        [2, 8],
      ]);
    });

    it('lets any other error through', async () => {
      const failure = Object.assign(new Error('EIO'), { code: 'EIO' });
      await assert.rejects(whole(10, kernel(2, failure).step), failure);
    });

    it('asks for no more than a call can do', async () => {
      const { asked, step } = kernel(2 ** 30, 2 ** 30, 5);
      assert.equal(await whole(2 ** 31 + 5, step), 2 ** 31 + 5);
      assert.deepEqual(asked.at(-1), [2 ** 31, 5]);
      assert.equal(asked[0]?.[1], 2 ** 30);
    });

    it('makes no call for no bytes', async () => {
      assert.equal(await whole(0, kernel().step), 0);
    });
  });
}
