import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noise, readFrom, storeScene } from '../../test/support/store-scene.ts';
import { MemoryDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { diskExport, fixedExports, NbdServer } from '../nbd/index.ts';

const PIECE = 128 * 1024;

/** A disk of `size` bytes, filled with noise, as the export `old debian` of a server. */
async function remoteDisk(path: string, size: number, readOnly: boolean) {
  const disk = new MemoryDisk(size);
  await disk.write(noise('remote', size), 0);
  const server = new NbdServer({
    exports: fixedExports([await diskExport(disk, { name: 'Old Debian', readOnly })]),
  });
  await server.listen({ path });
  const uri = `nbd+unix:///Old%20Debian?socket=${path}`;
  return { disk, uri, [Symbol.asyncDispose]: () => server.close() };
}

test('what a server exports is imported, by the name of the export, as a file of the same bytes is', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await using remote = await remoteDisk(scene.path('socket'), 2 * PIECE, true);
  const { version, ref } = await store.versions.import(remote.uri, { compression: 'none' });
  assert.deepEqual([ref, version.made.from, version.size], ['old-debian:latest', 'Old Debian', 2 * PIECE]);
  assertSame(await readFrom(store.versions.openDisk('old-debian'), 0, 2 * PIECE), noise('remote', 2 * PIECE));
  const file = await scene.rawDisk('same.raw', 2 * PIECE, { 0: noise('remote', 2 * PIECE) });
  const same = await store.versions.import(file, { ref: null, compression: 'none' });
  assert.deepEqual(same.version.layers, version.layers);

  const nameless = `nbd+unix:///?socket=${scene.path('socket')}`;
  await assert.rejects(store.versions.import(nameless), (error) => CalveError.is(error, 'usage'));
  for (const options of [{ format: 'qcow2' }, { chain: true }, { snapshots: true }] as const) {
    await assert.rejects(store.versions.import(remote.uri, { ref: null, ...options }), (error) =>
      CalveError.is(error, 'usage'),
    );
  }
  await assert.rejects(store.versions.import('nbd://[', { ref: 'x' }), (error) =>
    CalveError.is(error, 'usage'),
  );
});

test('a version and an environment are written over what a server exports', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const content = noise('local', PIECE);
  await store.versions.import(await scene.rawDisk('disk.raw', 2 * PIECE, { 0: content }), {
    ref: 'disk:1',
    compression: 'none',
  });
  await using remote = await remoteDisk(scene.path('socket'), 3 * PIECE, false);
  await store.versions.export('disk:1', remote.uri);
  const bytes = await readFrom(Promise.resolve(remote.disk), 0, 3 * PIECE);
  assert.ok(bytes.subarray(0, PIECE).equals(content));
  assert.ok(
    bytes.subarray(PIECE, 2 * PIECE).every((byte) => byte === 0),
    'zeros are written, too',
  );
  assert.ok(
    bytes.subarray(2 * PIECE).equals(noise('remote', 3 * PIECE).subarray(2 * PIECE)),
    'the rest stays',
  );
  await assert.rejects(store.versions.export('disk:1', remote.uri, { format: 'qcow2' }), (error) =>
    CalveError.is(error, 'usage'),
  );

  await using small = await remoteDisk(scene.path('small'), PIECE, false);
  await assert.rejects(store.versions.export('disk:1', small.uri), (error) =>
    CalveError.is(error, 'out-of-range'),
  );
  await using locked = await remoteDisk(scene.path('read-only'), 2 * PIECE, true);
  await assert.rejects(store.versions.export('disk:1', locked.uri), (error) =>
    CalveError.is(error, 'denied'),
  );
});

/** Not `deepEqual`, which takes minutes to show how megabytes differ. */
function assertSame(actual: Buffer, expected: Buffer): void {
  assert.ok(actual.equals(expected), 'the bytes differ');
}
