import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { login } from '../../src/registry/index.ts';
import { type DockerRegistry, dockerRegistry } from '../registry/docker-registry.ts';
import { type FaultProxy, faultProxy } from '../registry/fault-proxy.ts';
import { testOptions } from '../registry/scene.ts';
import { makeCertificates } from '../support/certificates.ts';
import { refused } from '../support/refused.ts';
import {
  assertEqualDisks,
  assertSoundStore,
  commitOn,
  importNext,
  layerBytes,
  REF,
  type RemoteScene,
  remoteScene,
} from './remote-scene.ts';

const registry = testOptions();
let scene: RemoteScene;
let server: DockerRegistry;
/** Stands before the registry and counts. */
let counter: FaultProxy;
before(async () => {
  scene = await remoteScene(2);
  server = await dockerRegistry(scene.path('registry'));
  counter = await faultProxy(`http://${server.host}`, () => undefined);
});
after(async () => {
  await counter[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** Bytes of bodies that went to the registry meanwhile, and that came from it. */
async function counted<T>(action: () => Promise<T>): Promise<{ result: T; up: number; down: number }> {
  const [up, down] = [counter.received(), counter.sent()];
  const result = await action();
  return { result, up: counter.received() - up, down: counter.sent() - down };
}

describe('a version that is pushed to a registry', () => {
  it('goes by its new layers alone, and is pulled into an empty store byte for byte', async (t) => {
    const remote = `${counter.host}/team/debian:12`;
    const [first = assert.fail(), second = assert.fail()] = scene.series;
    const base = await layerBytes(scene.store, first);
    const none = { layers: 0, bytes: 0 };
    assert.deepEqual(await scene.store.remotes.push(first, remote, { registry }), {
      ...{ remote, version: first, previous: null, moved: true, versions: 1, transferredBytes: base },
      ...{ sent: { layers: 1, bytes: base }, there: none, mounted: none },
    });
    const { result: pushed, up } = await counted(() => scene.store.remotes.push(REF, remote, { registry }));
    const added = await layerBytes(scene.store, second, 1);
    assert.deepEqual(pushed, {
      ...{ remote, version: second, previous: first, moved: true, versions: 2, transferredBytes: added },
      ...{ sent: { layers: 1, bytes: added }, there: { layers: 1, bytes: base }, mounted: none },
    });
    t.diagnostic(`bytes of bodies that went / bytes of new layers: ${up / added}`);
    assert.ok(up <= 1.01 * added, `${up} for ${added}`);
    const nothing = await counted(() => scene.store.remotes.push(REF, remote, { registry }));
    assert.deepEqual([nothing.result.moved, nothing.up], [false, 0]);

    const bytes = base + added;
    const empty = await scene.other('empty');
    const { result: pulled, down } = await counted(() => empty.remotes.pull(remote, { registry }));
    assert.deepEqual(
      [pulled.ref, pulled.version.digest, pulled.previous, pulled.moved, pulled.versions],
      [REF, second, null, true, 2],
    );
    assert.deepEqual(pulled.fetched, { layers: 2, bytes });
    assert.deepEqual([pulled.transferredBytes, pulled.promisedLayers], [bytes, 0]);
    t.diagnostic(`bytes of bodies that came / bytes of layers: ${down / bytes}`);
    assert.ok(down < 1.01 * bytes, `${down} of ${bytes}`);
    await assertEqualDisks(scene.store, empty, second);
    assert.equal((await empty.versions.get(first)).message, 'version 0');
    const [move] = await Array.fromAsync(empty.remotes.history());
    assert.deepEqual([move?.command, move?.remote, move?.ref, move?.to], ['pull', remote, REF, second]);
    const again = await counted(() => empty.remotes.pull(remote, { registry }));
    assert.deepEqual([again.result.moved, again.result.fetched.layers], [false, 0]);
    assert.ok(again.down < 10_000, `${again.down}`);
  });

  it('takes its layers from another repository of the registry', async () => {
    await scene.store.remotes.push(REF, `${counter.host}/team/here:12`, { registry });
    const remote = `${counter.host}/other/there:12`;
    const { result, up } = await counted(() => scene.store.remotes.push(REF, remote, { registry }));
    assert.deepEqual([result.mounted.layers, result.sent.layers], [2, 0]);
    assert.ok(up < 5000, `${up}`);
    const empty = await scene.other('from there');
    await empty.remotes.pull(remote, { registry });
    await assertEqualDisks(scene.store, empty, result.version);
  });

  it('goes over TLS to who has the password, and to nobody else', async () => {
    const certificates = await makeCertificates(scene.path('certificates'), 'IP:127.0.0.1');
    const user = { username: 'ann', password: 'correct horse' };
    await using closed = await dockerRegistry(scene.path('closed'), { certificates, user });
    const remote = `${closed.host}/team/debian:12`;
    const caFile = `${certificates}/ca-cert.pem`;
    const authFile = scene.path('auth.json');
    const base = testOptions({ plainHttp: false, authFile });
    const empty = await scene.other('by TLS');
    for (const doing of [
      (options: typeof base) => scene.store.remotes.push(REF, remote, { registry: options }),
      (options: typeof base) => empty.remotes.pull(remote, { registry: options }),
    ]) {
      await refused(doing(base), 'denied', /certificate/);
      const nobody = await refused(doing({ ...base, caFile }), 'denied', /401/);
      assert.equal(nobody.hint, `calve login ${closed.host}`);
      const wrong = { ...base, caFile, credentials: { username: 'ann', password: 'wrong horse' } };
      assert.doesNotMatch(JSON.stringify(await refused(doing(wrong), 'denied', /401/)), /wrong horse/);
    }
    assert.deepEqual(await empty.refs.list(), []);
    await login(closed.host, user, { ...base, caFile });
    await scene.store.remotes.push(REF, remote, { registry: { ...base, caFile } });
    const { version } = await empty.remotes.pull(remote, { registry: { ...base, caFile } });
    await assertEqualDisks(scene.store, empty, version.digest);
  });

  it('is named by its digest as well', async () => {
    const remote = `${counter.host}/team/digests`;
    const [first = assert.fail(), second = assert.fail()] = scene.series;
    await scene.store.remotes.push(REF, `${remote}:12`, { registry });
    const empty = await scene.other('by digest');
    const pulled = await empty.remotes.pull(`${remote}@${first}`, { registry });
    assert.deepEqual([pulled.ref, pulled.version.digest, pulled.moved], [null, first, false]);
    assert.equal(
      (await empty.remotes.pull(`${remote}@${second}`, { registry, ref: 'mine' })).ref,
      'mine:latest',
    );
    await refused(scene.store.remotes.push(REF, `${remote}@${first}`, { registry }), 'usage');
    await assertSoundStore(empty);
    const listed = await Array.fromAsync(empty.remotes.list(remote, { registry }));
    assert.deepEqual(
      listed.map(({ name, version, versions, message }) => [name, version, versions, message]),
      [['12', second, 2, 'version 1']],
    );
  });
});

describe('a ref that is pulled', () => {
  it('moves where its version leads, and no other way unless by force', async () => {
    const [theirs, ours] = [await scene.other('theirs'), await scene.other('ours')];
    const remote = `${counter.host}/moving/debian:12`;
    await scene.store.remotes.push(REF, remote, { registry });
    for (const store of [theirs, ours]) await store.remotes.pull(remote, { registry });
    const [, second] = scene.series;

    const there = await commitOn(theirs, REF, 'there');
    await theirs.remotes.push(REF, remote, { registry });
    await ours.remotes.pull(remote, { registry });
    assert.equal((await ours.refs.get(REF)).version, there, 'behind');

    const ahead = await commitOn(ours, REF, 'ahead');
    const stays = await ours.remotes.pull(remote, { registry });
    assert.deepEqual([stays.moved, stays.previous, stays.version.digest], [false, ahead, there]);
    assert.equal((await ours.refs.get(REF)).version, ahead, 'ahead');

    const further = await commitOn(theirs, REF, 'further');
    await theirs.remotes.push(REF, remote, { registry });
    const names = new RegExp(`${ahead.slice(7, 19)}.*${further.slice(7, 19)}`);
    const error = await refused(ours.remotes.pull(remote, { registry }), 'diverged', names);
    assert.deepEqual(error.data, { ref: REF, remote, here: ahead, there: further });
    const both = new RegExp(`${further.slice(7, 19)}.*${ahead.slice(7, 19)}`);
    await refused(ours.remotes.push(REF, remote, { registry }), 'diverged', both);
    assert.equal((await ours.refs.get(REF)).version, ahead);

    await ours.refs.protect(REF);
    await refused(ours.remotes.pull(remote, { registry, force: true }), 'denied', /protected/);
    await ours.refs.unprotect(REF);
    const forced = await ours.remotes.pull(remote, { registry, force: true });
    assert.deepEqual([forced.previous, forced.moved], [ahead, true]);
    const [last] = await ours.refs.history(REF);
    assert.deepEqual([last?.from, last?.to, last?.command], [ahead, further, 'pull']);
    assert.equal((await ours.versions.get(`${REF}@{1}`)).digest, ahead);

    // What is older than the tag's is refused, by force it takes the tag.
    await refused(ours.remotes.push(second ?? '', remote, { registry }), 'diverged', /comes from/);
    await ours.remotes.push(ahead, remote, { registry, force: true });
    const seen = await Array.fromAsync(ours.remotes.list(remote, { registry }));
    assert.equal(seen[0]?.version, ahead);
    for (const store of [theirs, ours]) await assertSoundStore(store);
  });

  it('comes with as much of its history as was asked for', async () => {
    await importNext(scene, 2);
    const remote = `${counter.host}/deep/debian:12`;
    const [first = assert.fail()] = scene.series;
    await scene.store.remotes.push(REF, remote, { registry });
    const shallow = await scene.other('shallow');
    const pulled = await shallow.remotes.pull(remote, { registry, depth: 1 });
    assert.equal(pulled.versions, 1);
    await refused(shallow.versions.get(first), 'not-found');
    await assertEqualDisks(scene.store, shallow, pulled.version.digest);
    // What is pushed from there does not take the history away from the tag.
    const next = await commitOn(shallow, REF, 'from-the-shallow');
    await shallow.remotes.push(REF, remote, { registry });
    assert.equal((await shallow.remotes.pull(remote, { registry, depth: 2 })).versions, 2);
    const full = await scene.other('full');
    const all = await full.remotes.pull(remote, { registry });
    assert.deepEqual([all.version.digest, all.versions], [next, 4]);
    // A remote that has the newest alone, and a ref that is far behind it.
    const only = `${counter.host}/newest/debian:12`;
    assert.equal((await shallow.remotes.push(REF, only, { registry, depth: 1 })).versions, 1);
    const behind = await scene.other('behind');
    await scene.store.remotes.push(first, `${counter.host}/first/debian:12`, { registry });
    await behind.remotes.pull(`${counter.host}/first/debian:12`, { registry });
    await behind.refs.set(REF, first);
    await refused(behind.remotes.pull(only, { registry, ref: REF }), 'diverged');
    assert.equal((await behind.remotes.pull(remote, { registry, ref: REF, depth: 1 })).moved, true);
    for (const store of [shallow, full, behind]) await assertSoundStore(store);
  });
});
