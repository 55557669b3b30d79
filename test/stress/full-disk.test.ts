import assert from 'node:assert/strict';
import { cp, readdir, rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { CalveError } from '../../src/errors/index.ts';
import { statFile } from '../../src/host/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { ExpectedStates, everyOperation } from '../support/expected-states.ts';
import { FS_BLOCK, type SmallFileSystem, smallFileSystem } from '../support/small-file-system.ts';
import { placeBeside } from '../support/store-operations.ts';
import { assertSound } from '../support/store-state.ts';
import { LONG } from '../support/suite.ts';

/** What must be possible on a disk that is full, or it could never be emptied. */
const NEED_NO_ROOM = ['remove', 'remove by force', 'restore', 'empty', 'gc', 'fsck'];
const EVERY = Object.keys(everyOperation).filter((name) => !NEED_NO_ROOM.includes(name));
const SHORT = ['new three', 'commit'];

/** More than any operation needs. */
const MOST_BLOCKS = 4096;
const MOST_INODES = 64;
/** How far below what is just enough the short form looks: there the last steps fail. */
const LAST = 4;

let expected: ExpectedStates;
before(async () => {
  expected = await ExpectedStates.make(fillLastBlock);
});
after(() => expected[Symbol.asyncDispose]());

/** Makes the log end with a block, so that every further line needs room when the move has been decided. */
async function fillLastBlock(store: Store): Promise<void> {
  const size = () => statFile(`${store.folder}/logs/refs.jsonl`)?.size ?? 0;
  const before = size();
  await store.refs.set('filler', 'base', { command: '' });
  const length = size() - before;
  await store.refs.set('filler', 'next', { command: 'x'.repeat(4096 - ((size() + length + 64) % 4096)) });
}

describe('a disk without room', () => {
  it('without a free block lets go of what takes room', async () => {
    await using fs = await smallFileSystem();
    const trial = await Trial.on(fs, (room) => fs.leaveBytes(room * FS_BLOCK));
    for (const name of NEED_NO_ROOM) {
      await trial.begin();
      assert.equal(await trial.attempt(name, 0), undefined, name);
    }
  });

  for (const name of LONG ? EVERY : SHORT) {
    it(`for all blocks of ${name} leaves everything as it was`, async (t) => {
      await using fs = await smallFileSystem();
      const trial = await Trial.on(fs, (room) => fs.leaveBytes(room * FS_BLOCK));
      t.diagnostic(await sweep(trial, name, MOST_BLOCKS));
    });
  }

  for (const name of LONG ? EVERY : ['commit']) {
    it(`for all files of ${name} leaves everything as it was`, async (t) => {
      await using fs = await smallFileSystem({ inodes: 256 });
      const trial = await Trial.on(fs, (room) => fs.leaveInodes(room));
      t.diagnostic(await sweep(trial, name, MOST_INODES));
    });
  }
});

/** Tries with ever more room until the operation is done: with all there is, or in the short form with some. */
async function sweep(trial: Trial, name: string, most: number): Promise<string> {
  await trial.begin();
  const failures = new Set<string>();
  let attempts = 0;
  const isEnough = async (room: number): Promise<boolean> => {
    attempts += 1;
    const failure = await trial.attempt(name, room);
    if (failure !== undefined) failures.add(failure);
    else await trial.begin();
    return failure === undefined;
  };
  let enough = most;
  if (!LONG) {
    for (let low = -1, high = most; high - low > 1; enough = high) {
      // By doubling, then by halves.
      const middle = low < 0 ? 0 : high === most ? Math.min(2 * low + 1, most - 1) : (low + high) >> 1;
      if (await isEnough(middle)) high = middle;
      else low = middle;
    }
  }
  let room = LONG ? 0 : Math.max(0, enough - LAST);
  while (!(await isEnough(room))) {
    assert.ok(room < most, `${name} is not done with room for ${room}`);
    room += 1;
  }
  assert.ok(failures.size > 0, `${name} needs no room`);
  return `enough: ${room}, attempts: ${attempts}, failed:\n${[...failures].join('\n')}`;
}

/** Operations on copies of the filled store, on a file system with little room. */
class Trial {
  readonly #fs: SmallFileSystem;
  readonly #leave: (room: number) => Promise<void>;
  readonly #store: string;

  private constructor(fs: SmallFileSystem, leave: (room: number) => Promise<void>) {
    this.#fs = fs;
    this.#leave = leave;
    this.#store = fs.join('store');
  }

  static async on(fs: SmallFileSystem, leave: (room: number) => Promise<void>): Promise<Trial> {
    await placeBeside(expected.scene.path('.'), fs.path);
    return new Trial(fs, leave);
  }

  /** Puts a fresh copy in place. */
  async begin(): Promise<void> {
    await this.#leave(Number.MAX_SAFE_INTEGER);
    for (const beside of ['', '.store', '.qcow2', '.raw']) {
      await rm(`${this.#store}${beside}`, { recursive: true, force: true });
    }
    await cp(expected.scene.store.folder, this.#store, { recursive: true });
  }

  /** Has the operation done with this much room; resolves to what failed for want of more, if anything did. */
  async attempt(name: string, room: number): Promise<string | undefined> {
    const store = await openStore(this.#store, { create: false });
    await this.#leave(room);
    let failure: CalveError | undefined;
    try {
      await everyOperation[name]?.(store);
    } catch (error) {
      assert.ok(CalveError.is(error, 'no-space'), `${name}, room for ${room}: ${error}`);
      failure = error;
    }
    const when = `${name}, room for ${room}: ${failure?.message ?? 'done'}`;
    // There is no more room now than there was.
    await assertSound(store, when);
    const happened = failure === undefined || / is done, but not yet everywhere /.test(failure.message);
    const state = await expected.in(this.#store);
    assert.equal(state, happened ? await expected.later(name) : await expected.earlier, when);
    const left = (await readdir(this.#fs.path)).filter((file) => file.startsWith('.'));
    assert.deepEqual(left, [], when);
    if (failure !== undefined && happened) await this.begin();
    return failure?.message.replaceAll(this.#fs.path, '').replaceAll(/[0-9a-f]{12,}|\d+/g, '#');
  }
}
