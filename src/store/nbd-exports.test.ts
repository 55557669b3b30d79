import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { chmod, open } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MiB, noise, readFrom, storeScene, writeEnv } from '../../test/support/store-scene.ts';
import { CalveError, type ErrorCode } from '../errors/index.ts';
import { listNbd, NbdServer, openNbd } from '../nbd/index.ts';
import type { NbdExportsOptions } from './options.ts';

const [ONE, TWO] = [noise(1, MiB), noise(2, MiB)];
const PLAIN = { compression: 'none', onto: null } as const;

/** A store with `base:1` and `base:2`; each test makes what else it needs. */
const scene = await storeScene();
const { store } = scene;
await store.versions.import(await scene.rawDisk('one.raw', MiB, { 0: ONE }), { ref: 'base:1', ...PLAIN });
await store.versions.import(await scene.rawDisk('two.raw', MiB, { 0: TWO }), { ref: 'base:2', ...PLAIN });
after(() => scene[Symbol.asyncDispose]());

/** The store, served on a socket. */
async function served(options: NbdExportsOptions = {}) {
  const path = scene.path(`socket-${randomUUID()}`);
  const told: string[] = [];
  const onClientError = (error: unknown) => told.push(String(error));
  const server = new NbdServer({ exports: await store.nbdExports(options), onClientError });
  await server.listen({ path });
  const connect = (exportName: string, readOnly = true) =>
    openNbd({ socket: { path }, exportName }, { readOnly, retries: 0 });
  const list = () => listNbd({ socket: { path }, exportName: '' });
  return { told, connect, list, [Symbol.asyncDispose]: () => server.close() };
}

const refusedAs = (code: ErrorCode) => (error: unknown) => CalveError.is(error, code);

test('who names nothing gets the default, or the only export', async () => {
  await using all = await served({ default: 'base:2' });
  assertSame(await readFrom(all.connect(''), 0, MiB), TWO);
  await assert.rejects(store.nbdExports({ default: 'base:3' }), refusedAs('not-found'));
  await using other = await served();
  await assert.rejects(other.connect(''), refusedAs('not-found'));
  await store.refs.remove('base:2');
  assertSame(await readFrom(other.connect(''), 0, MiB), ONE);
  await store.refs.set('base:2', 'base:2@{1}');
});

test('every ref and environment is an export of its name, and nothing else is', async () => {
  await using all = await served();
  const { connect } = all;
  await store.envs.create('base:1', { name: 'work' });
  assert.deepEqual(
    (await all.list()).map(({ name }) => name),
    ['base:1', 'base:2', 'work'],
  );
  assertSame(await readFrom(connect('base:2'), 0, MiB), TWO);
  const { digest } = await store.versions.get('base:1');
  for (const name of [digest, digest.slice(7, 19), 'base:2~1', 'work@base', 'base:3', '../work']) {
    await assert.rejects(connect(name), refusedAs('not-found'), name);
  }
  await store.refs.set('later', 'base:2');
  assertSame(await readFrom(connect('later'), 0, MiB), TWO);
  await store.refs.remove('later');
});

test('a version is read-only whoever asks, an environment keeps what is written', async () => {
  await using all = await served();
  const { connect } = all;
  await store.envs.create('base:1', { name: 'written' });
  await assert.rejects(connect('base:1', false), refusedAs('denied'));
  {
    await using disk = await connect('written', false);
    await disk.write(Buffer.from('changed'), MiB / 2);
    await disk.flush();
  }
  await untilIdle('written');
  await store.envs.commit('written', { ref: 'base:3', compression: 'none' });
  assert.equal((await readFrom(connect('base:3'), MiB / 2, 7)).toString(), 'changed');
  assertSame(await readFrom(connect('base:1'), 0, MiB), ONE);
});

test('an environment is locked while a client is connected, and only then', async () => {
  await using all = await served();
  const { connect } = all;
  await store.envs.create('base:1', { name: 'locked' });
  const first = await connect('locked', false);
  const second = await connect('locked', false);
  await first.close();
  assert.notEqual((await store.envs.get('locked')).state, 'idle');
  await assert.rejects(store.envs.remove('locked'), refusedAs('in-use'));
  await second.close();
  await untilIdle('locked');
  await store.envs.remove('locked');
  await assert.rejects(connect('locked'), refusedAs('not-found'));
});

test('an environment that is in use elsewhere is refused alone', async () => {
  await using all = await served();
  const { connect } = all;
  await store.envs.create('base:1', { name: 'busy' });
  {
    await using _disk = await store.envs.openDisk('busy', { writable: true });
    await assert.rejects(connect('busy', false), /not available/);
    assertSame(await readFrom(connect('base:1'), 0, MiB), ONE);
  }
  assert.match(all.told.join(), /environment busy is in use by/);
  await using _disk = await connect('busy', false);
});

test('where a ref moves, who is connected keeps the version, and who comes then gets the new one', async () => {
  await using all = await served();
  const { connect } = all;
  await store.refs.set('moving', 'base:1');
  await using before = await connect('moving');
  await store.refs.set('moving', 'base:2');
  assertSame(await readFrom(connect('moving'), 0, MiB), TWO);
  await store.refs.remove('moving');
  const kept = Buffer.alloc(MiB);
  await before.read(kept, 0);
  assertSame(kept, ONE);
  await assert.rejects(connect('moving'), refusedAs('not-found'));
});

test('read-only holds for environments too, which others may read meanwhile', async () => {
  await using all = await served({ readOnly: true });
  await store.envs.create('base:1', { name: 'read' });
  await writeEnv(store, 'read', 0, Buffer.from('before'));
  await assert.rejects(all.connect('read', false), refusedAs('denied'));
  await using _reader = await store.envs.openDisk('read');
  assert.equal((await readFrom(all.connect('read'), 0, 6)).toString(), 'before');
});

test('a version whose bytes changed is served to nobody', async () => {
  await using all = await served();
  const path = await store.versions.path('base:2');
  await chmod(path, 0o644);
  await using file = await open(path, 'r+');
  await file.write(Buffer.from('x'), 0, 1, MiB / 2);
  await assert.rejects(all.connect('base:2'), /not available/);
  assert.match(all.told.join(), /layer [0-9a-f]{64} has changed/);
  assertSame(await readFrom(all.connect('base:1'), 0, MiB), ONE);
});

/** A client's disk is closed by the server after it has gone. */
async function untilIdle(name: string): Promise<void> {
  for (let left = 500; (await store.envs.get(name)).state !== 'idle'; left -= 1) {
    assert.ok(left > 0, `${name} is still in use`);
    await sleep(10);
  }
}

/** Not `deepEqual`, which takes minutes to show how megabytes differ. */
function assertSame(actual: Buffer, expected: Buffer): void {
  assert.ok(actual.equals(expected), 'the bytes differ');
}
