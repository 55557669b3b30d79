import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImageFile } from './image-file.ts';
import type { ImageStorage } from './image-storage.ts';

/** Storage of so many bytes that notes how it is called; `busy` is how many milliseconds a call at once takes. */
class NotedStorage implements ImageStorage {
  readonly path = 'noted.qcow2';
  readonly calls: string[] = [];
  busy = 0;
  failure: Error | undefined;

  stat(): { size: number } {
    return { size: 2 ** 24 };
  }

  readSync(into: Uint8Array): number {
    this.#at('readSync');
    return into.length;
  }

  async read(into: Uint8Array): Promise<number> {
    this.calls.push('read');
    return into.length;
  }

  writeSync(): void {
    this.#at('writeSync');
    if (this.failure) throw this.failure;
  }

  async write(): Promise<void> {
    this.calls.push('write');
  }

  async datasync(): Promise<void> {
    this.calls.push('datasync');
  }

  punchHole(): boolean {
    return true;
  }

  async close(): Promise<void> {}

  #at(call: string): void {
    this.calls.push(call);
    for (const until = performance.now() + this.busy; performance.now() < until; );
  }
}

const bytes = new Uint8Array(4096);

test('reads and writes are made at once, but for one in 32, so that others get their turn', async () => {
  for (const what of ['read', 'write'] as const) {
    const storage = new NotedStorage();
    const file = new ImageFile(storage);
    for (let at = 0; at < 64; at += 1) await file[what](bytes, at * 4096);
    const through = storage.calls.filter((call) => call === what).length;
    // A machine that is busy makes some calls slow.
    assert.ok(through >= 2 && through < 64, `${through} of 64`);
    assert.equal(storage.calls.length, 64);
  }
});

test('when one is slow, the next ones go through the thread pool, and those of the other kind do not', async () => {
  const storage = new NotedStorage();
  const file = new ImageFile(storage);
  storage.busy = 5;
  await file.write(bytes, 0);
  storage.busy = 0;
  for (let at = 0; at < 8; at += 1) await file.write(bytes, 0);
  await file.read(bytes, 0);
  assert.deepEqual(storage.calls, ['writeSync', ...Array(8).fill('write'), 'readSync']);
});

test('while reads are slow, what the page cache has is read at once, and the rest in the thread pool', async () => {
  const cached = [false, true];
  const storage: NotedStorage & Pick<ImageStorage, 'readCached'> = new NotedStorage();
  storage.readCached = () => {
    storage.calls.push('readCached');
    return cached.shift() ?? false;
  };
  const file = new ImageFile(storage);
  storage.busy = 5;
  await file.read(bytes, 0);
  for (let at = 0; at < 2; at += 1) await file.read(bytes, 0);
  assert.deepEqual(storage.calls, ['readSync', 'readCached', 'read', 'readCached']);
});

test('long writes go through the thread pool', async () => {
  const storage = new NotedStorage();
  await new ImageFile(storage).write(new Uint8Array(2 ** 20), 0);
  assert.deepEqual(storage.calls, ['write']);
});

test('a write that fails at once rejects, and may have changed the file: the next barrier is one', async () => {
  const storage = new NotedStorage();
  const file = new ImageFile(storage);
  await file.barrier();
  storage.failure = new Error('EIO');
  await assert.rejects(file.write(bytes, 0), storage.failure);
  await file.barrier();
  assert.deepEqual(storage.calls, ['writeSync', 'datasync']);
});
