import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { hexOf } from '../../src/oci/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { dockerRegistry } from '../registry/docker-registry.ts';
import { testOptions } from '../registry/scene.ts';
import { startNode } from '../support/node.ts';
import { report, succeed } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { refused } from '../support/refused.ts';
import { rounds, SEED } from '../support/suite.ts';
import {
  assertEqualDisks,
  assertSoundStore,
  blobNames,
  commitOn,
  REF,
  type RemoteScene,
  remoteScene,
} from './remote-scene.ts';

const KILLS = rounds(4, 100);
const random = seededRandom(SEED);

let scene: RemoteScene;
before(async () => {
  scene = await remoteScene(3);
});
after(() => scene[Symbol.asyncDispose]());

async function copyOf(store: Store, name: string): Promise<Store> {
  const folder = scene.path(name);
  await cp(store.folder, folder, { recursive: true });
  return openStore(folder, { create: false });
}

describe('the folder of another store', () => {
  it('takes what is pushed to it, is made where there is none, and gives it back', async () => {
    const { store, series } = scene;
    const [first = assert.fail(), , last = assert.fail()] = series;
    const folder = scene.path('backup');
    const pushed = await store.remotes.push(`${REF}~2`, `${folder}:${REF}`);
    assert.deepEqual([pushed.moved, pushed.version, pushed.previous], [true, first, null]);
    assert.deepEqual([pushed.sent.layers, pushed.versions], [1, 1]);
    const next = await store.remotes.push(REF, folder);
    assert.deepEqual(
      [next.moved, next.version, next.previous, next.remote],
      [true, last, first, `${folder}:${REF}`],
    );
    assert.deepEqual([next.sent.layers, next.there.layers, next.versions], [2, 1, 3]);
    const again = await store.remotes.push(REF, folder);
    assert.deepEqual([again.moved, again.sent.layers, again.transferredBytes], [false, 0, 0]);
    const backup = await openStore(folder, { create: false });
    await assertSoundStore(backup);
    await assertEqualDisks(store, backup, last);
    assert.deepEqual(await blobNames(backup), await blobNames(store));

    const listed = await Array.fromAsync(store.remotes.list(folder));
    assert.deepEqual(
      listed.map(({ name, version }) => [name, version]),
      [[REF, last]],
    );
    const third = await scene.other('third');
    const pulled = await third.remotes.pull(`${folder}:${REF}`, { ref: 'mine:1' });
    assert.deepEqual([pulled.ref, pulled.moved, pulled.fetched.layers], ['mine:1', true, 3]);
    await assertSoundStore(third);
    await assertEqualDisks(store, third, last);
  });

  it('is told from the store itself, and needs a name for what has none', async () => {
    const { store, series } = scene;
    const own = await refused(
      store.remotes.push(REF, `${store.folder}:copy`),
      'usage',
      /is the store itself/,
    );
    assert.equal(own.hint, `calve tag copy:latest NEW`);
    const [first = ''] = series;
    await refused(
      store.remotes.push(first, scene.path('nameless')),
      'usage',
      /what is the version to be called/,
    );
    await refused(
      store.remotes.pull(`${scene.path('nowhere')}:${REF}`),
      'not-found',
      /neither a store nor an OCI/,
    );
    await writeFile(scene.path('file'), 'no folder');
    await refused(store.remotes.push(REF, `${scene.path('file')}:${REF}`), 'io', /file/);
  });

  it('keeps what it has when the ref went another way, unless by force', async () => {
    const { store } = scene;
    const there = await copyOf(store, 'diverged');
    const theirs = await commitOn(there, REF, 'theirs');
    const here = await copyOf(store, 'also diverged');
    const ours = await commitOn(here, REF, 'ours');
    await refused(here.remotes.push(REF, there.folder), 'diverged');
    await refused(here.remotes.pull(`${there.folder}:${REF}`), 'diverged');
    assert.deepEqual(
      [(await there.refs.get(REF)).version, (await here.refs.get(REF)).version],
      [theirs, ours],
    );
    await here.remotes.push(REF, there.folder, { force: true });
    assert.equal((await there.refs.get(REF)).version, ours);
    assert.equal((await there.versions.get(`${REF}@{1}`)).digest, theirs);
    for (const each of [here, there]) await assertSoundStore(each);
  });

  it('hands over no layer that is not what it was', async () => {
    const there = await copyOf(scene.store, 'harmed');
    const last = (await there.versions.get(REF)).layers.at(-1) ?? assert.fail();
    const blob = join(there.folder, 'blobs/sha256', hexOf(last.digest));
    {
      await using file = await open(blob, 'r+');
      await file.write('harmed', Math.floor(last.size / 2));
    }
    const empty = await scene.other('takes nothing');
    await refused(empty.remotes.pull(`${there.folder}:${REF}`), 'changed', /its bytes hash to/);
    assert.deepEqual(await empty.refs.list(), []);
    await assertSoundStore(empty);
  });
});

it('a layout that skopeo copied from a registry is pulled as from there', async () => {
  await using server = await dockerRegistry(scene.path('registry'));
  const registry = testOptions();
  await scene.store.remotes.push(REF, `${server.host}/team/debian:12`, { registry });
  const flags = ['--all', '--preserve-digests', '--src-tls-verify=false'];
  const layout = scene.path('layout');
  await succeed('skopeo', [
    'copy',
    '-q',
    ...flags,
    `docker://${server.host}/team/debian:12`,
    `oci:${layout}:12`,
  ]);
  const empty = await scene.other('from the layout');
  const { version, versions } = await empty.remotes.pull(`oci:${layout}:12`, { ref: REF });
  assert.deepEqual([version.digest, versions], [scene.series[2], 3]);
  await assertSoundStore(empty);
  await assertEqualDisks(scene.store, empty, version.digest);
});

for (const what of ['push', 'pull'] as const) {
  it(`after each of ${KILLS} kills -9 of a ${what} by folders both sides are sound, and the next one completes it`, async (t) => {
    const [first, , last] = scene.series;
    const behind = await scene.other(`behind a ${what}`);
    await behind.remotes.pull(`${scene.store.folder}:${first}`, { ref: REF });
    const program = fileURLToPath(new URL('victim.ts', import.meta.url));
    let [took, inside, moved] = [0, 0, 0];
    // The first one lives: it tells how long it takes, in milliseconds.
    for (let at = 0; at <= KILLS; at += 1) {
      const here = await copyOf(what === 'push' ? scene.store : behind, `${what}-here`);
      const there = await copyOf(what === 'push' ? behind : scene.store, `${what}-there`);
      const taker = what === 'push' ? there : here;
      const remote = `${there.folder}:${REF}`;
      const running = startNode(program, [what, here.folder, remote]);
      await once(running.child.stdout ?? assert.fail(), 'data');
      running.child.stdin?.write('go\n');
      await (at === 0 ? running.ended : Promise.race([setTimeout(random() * took), running.ended]));
      running.child.kill('SIGKILL');
      const ran = await running.ended;
      assert.ok(ran.signal === 'SIGKILL' || ran.code === 0, report(ran));
      const done = /^done (.*)$/m.exec(ran.stdout);
      took = Math.max(took, Number(done?.[1] ?? 0));
      if (done === null) inside += 1;
      const { version } = await taker.refs.get(REF);
      assert.ok(version === last || (done === null && version === first), `${version}, ${report(ran)}`);
      if (version === last) moved += 1;
      for (const each of [here, there]) await assertSoundStore(each, `${what} ${at}`);
      if (what === 'push') await here.remotes.push(REF, remote);
      else await here.remotes.pull(remote, { ref: REF });
      assert.equal((await taker.refs.get(REF)).version, last);
      await assertSoundStore(taker, `${what} ${at}, completed`);
      for (const each of [here, there]) await rm(each.folder, { recursive: true });
    }
    t.diagnostic(
      `${inside} inside; ${moved} of ${KILLS + 1} refs had moved; ${took.toFixed()} ms undisturbed`,
    );
    assert.ok(inside > 0);
  });
}
