import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { succeed } from '../../test/support/programs.ts';
import { seededRandom } from '../../test/support/random.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { MiB, noise, type StoreScene, storeScene, writeEnv } from '../../test/support/store-scene.ts';

async function du(...paths: string[]): Promise<number> {
  const lines = (await succeed('/usr/bin/du', ['-B1', '-s', '-c', ...paths])).trimEnd().split('\n');
  return Number.parseInt(lines.at(-1) ?? '', 10);
}
test('the totals are what du says, and an own size is what goes away with its ref or env', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  await store.versions.import(scene.path('other.raw'), { ref: 'other', message: 'other' });
  await store.envs.commit('work', { ref: 'fork', message: 'fork' });
  await store.envs.remove('idle', { force: true });
  await store.gc({ graceDays: 0 });

  const before = await store.df();
  const du = await succeed('/usr/bin/du', ['-B1', '-s', store.folder]);
  const { total, ...rooms } = before.totals;
  assert.equal(total, Number.parseInt(du, 10));
  assert.equal(
    Object.values(rooms).reduce((sum, bytes) => sum + bytes, 0),
    total,
  );
  const space = new Map([...before.refs, ...before.envs].map((one) => [one.name, one]));
  // work stands on fork: neither frees the version alone.
  assert.equal(space.get('fork:latest')?.ownBytes, 0);
  assert.ok((space.get('other:latest')?.ownBytes ?? 0) > 50_000);
  assert.equal(space.get('other:latest')?.sharedBytes, 0);
  assert.equal(space.get('base:latest')?.virtualSize, 1 << 20);

  const own = space.get('work')?.ownBytes ?? 0;
  await store.envs.remove('work', { force: true });
  const after = await store.df();
  assert.equal(before.totals.total - after.totals.total, own);
  const fork = after.refs.find((ref) => ref.name === 'fork:latest');
  assert.ok((fork?.ownBytes ?? 0) > 80_000);
  // base is an ancestor of fork, so that fork alone frees only what it added.
  assert.equal(after.refs.find((ref) => ref.name === 'base:latest')?.ownBytes, 0);
});

const { CALVE_SEED = '7', CALVE_LONG } = process.env;
const ROUNDS = CALVE_LONG === undefined ? 1 : 20;

/** Refs and envs on versions that share layers in every way, and some of which nothing names. */
async function interleaved({ store, rawDisk }: StoreScene, random: () => number): Promise<void> {
  const below = (limit: number): number => Math.floor(random() * limit);
  const versions: string[] = [];
  const disk = (name: string) => rawDisk(`${name}.raw`, MiB, { 0: noise(name, 20_000 + below(100_000)) });
  for (const name of ['a', 'b']) {
    versions.push((await store.versions.import(await disk(name), { ref: name })).version.digest);
  }
  for (let nth = 0; nth < 8; nth++) {
    const [env] = await store.envs.create(versions[below(versions.length)] ?? '', { name: `env-${nth}` });
    if (env === undefined) continue;
    await writeEnv(store, env.name, below(MiB - 70_000), noise(nth, 1 + below(70_000)));
    if (random() < 0.6) {
      versions.push((await store.envs.commit(env.name, { ref: `made-${nth}` })).version.digest);
    }
    if (random() < 0.3) await store.refs.set(`tag-${nth}`, versions[below(versions.length)] ?? '');
    if (random() < 0.3) await store.envs.remove(env.name, { force: random() < 0.5 });
  }
}

test('what df calls own is what du says is freed, when each ref and env goes in turn', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const seed = Number(CALVE_SEED) + round;
    t.diagnostic(`CALVE_SEED=${seed}`);
    const random = seededRandom(seed);
    await using scene = await storeScene();
    const { store } = scene;
    await interleaved(scene, random);
    const rooms = ['blobs', 'stamps', 'envs', 'trash'].map((room) => join(store.folder, room));
    const now = { graceDays: 0, historyDays: 0 };
    await store.gc(now);
    const owned: number[] = [];
    for (;;) {
      const { refs, envs, totals } = await store.df();
      assert.equal(totals.total, await du(store.folder));
      const all = [
        ...refs.map((ref) => ({ ...ref, remove: () => store.refs.remove(ref.name) })),
        ...envs.map((env) => ({ ...env, remove: () => store.envs.remove(env.name, { force: true }) })),
      ];
      const gone = all[Math.floor(random() * all.length)];
      if (gone === undefined) break;
      const before = await du(...rooms);
      await gone.remove();
      await store.gc(now);
      assert.equal(before - (await du(...rooms)), gone.ownBytes, gone.name);
      owned.push(gone.ownBytes);
    }
    // Some own nothing but share, and some own much: else nothing was shown.
    assert.ok(owned.includes(0) && owned.some((bytes) => bytes > 20_000), owned.join(' '));
  }
});
