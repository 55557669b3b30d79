import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CrashStorage } from '../../../test/support/crash-storage.ts';
import { refused } from '../../../test/support/refused.ts';
import type { Disk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { Chain } from '../chain.ts';
import { inspectImage } from '../check/inspect-image.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { ImageFile } from '../image-file.ts';
import type { Qcow2Disk } from '../index.ts';
import { openImage } from '../open-image.ts';

/** A file of which the write with a certain number fails: that one, or all from there on. */
class FailingStorage extends CrashStorage {
  #left = Number.POSITIVE_INFINITY;
  #once = false;

  failAfter(writes: number, once: boolean): void {
    this.#left = writes;
    this.#once = once;
  }

  override async write(from: Uint8Array, offset: number): Promise<void> {
    this.#left -= 1;
    if (this.#left < 0) {
      if (this.#once) this.#left = Number.POSITIVE_INFINITY;
      throw new CalveError('io', 'the disk is gone');
    }
    await super.write(from, offset);
  }
}

const BYTES = 30_000;

function open(storage: CrashStorage, writable = true): Promise<Qcow2Disk> {
  return openImage(storage, { writable, chain: Chain.begin(), openBacking: async () => null });
}

/** What the first bytes of a disk are, all alike. */
async function valueIn(disk: Disk): Promise<number | undefined> {
  const bytes = Buffer.alloc(BYTES);
  await disk.read(bytes, 0);
  assert.ok(bytes.every((byte) => byte === bytes[0]));
  return bytes[0];
}

/** Each snapshot's name and value, and the disk's. */
async function stateOf(disk: Qcow2Disk): Promise<string> {
  const state = [];
  for (const { name } of await disk.snapshots()) {
    await using view = await disk.openSnapshot(name);
    state.push(`${name} ${await valueIn(view)}`);
  }
  return [...state, `disk ${await valueIn(disk)}`].join();
}

const verbs: readonly [string, (disk: Qcow2Disk) => Promise<unknown>, string][] = [
  ['createSnapshot', (disk) => disk.createSnapshot({ name: 'b' }), 'a 1,b 2,disk 2'],
  ['applySnapshot', (disk) => disk.applySnapshot('a'), 'a 1,disk 1'],
  ['deleteSnapshot', (disk) => disk.deleteSnapshot('a'), 'disk 2'],
];
const BEFORE = 'a 1,disk 2';

/** Fails one write of a verb; false when the verb has not so many. */
async function failOne(
  act: (disk: Qcow2Disk) => Promise<unknown>,
  after: string,
  write: number,
  once: boolean,
): Promise<boolean> {
  const empty = encodeEmptyImage({ size: 64 * 1024, clusterSize: 512 });
  const storage = new FailingStorage('failing.qcow2', empty);
  const disk = await open(storage);
  await disk.write(Buffer.alloc(BYTES, 1), 0);
  await disk.createSnapshot({ name: 'a' });
  await disk.write(Buffer.alloc(BYTES, 2), 0);
  await disk.flush();
  storage.failAfter(write, once);
  const failure: unknown = await act(disk).then(
    () => undefined,
    (error: unknown) => error,
  );
  storage.failAfter(Number.POSITIVE_INFINITY, once);
  if (failure === undefined) {
    await disk.close();
    return false;
  }
  assert.ok(CalveError.is(failure, 'io'), String(failure));
  const usable = await disk.flush().then(
    () => true,
    () => false,
  );
  if (usable) {
    // It was all taken back, as if nobody had asked.
    assert.equal(await stateOf(disk), BEFORE);
    await act(disk);
    await disk.close();
  } else {
    await refused(disk.write(Buffer.alloc(1), 0), 'io', /not written any more/);
    await refused(disk.close(), 'io');
  }
  const { report } = await inspectImage(new ImageFile(storage), {});
  const bad = report.findings.filter(({ severity }) => severity === 'corruption');
  await using left = await open(new CrashStorage('left.qcow2', storage.content), false);
  const state = await stateOf(left);
  if (usable) {
    assert.deepEqual([report.corruptions, report.leaks, state], [0, 0, after]);
    assert.ok(!left.header.incompatible.has('dirty'));
  } else {
    assert.ok(state === BEFORE || state === after, state);
    assert.ok(
      bad.every(({ kind }) => kind === 'copied-wrong'),
      JSON.stringify(bad),
    );
    assert.ok(bad.length === 0 || left.header.incompatible.has('dirty'));
  }
  return true;
}

describe('a disk on which writes fail keeps its snapshots, as before or after', () => {
  for (const [verb, act, after] of verbs) {
    for (const once of [true, false]) {
      it(`${verb}: ${once ? 'any one write' : 'all writes from any on'}`, async () => {
        let write = 0;
        while (await failOne(act, after, write, once)) write += 1;
        assert.ok(write > 3);
      });
    }
  }
});
