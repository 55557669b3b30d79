import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Digest, digestOf } from '../../src/oci/index.ts';
import { openStore, type Store } from '../../src/store/index.ts';
import { type DockerRegistry, dockerRegistry } from '../registry/docker-registry.ts';
import { testOptions } from '../registry/scene.ts';
import { startNode } from '../support/node.ts';
import { type Running, report, succeed } from '../support/programs.ts';
import { seededRandom } from '../support/random.ts';
import { rounds, SEED } from '../support/suite.ts';
import { assertSoundStore, layerBytes, PIECE, REF, type RemoteScene, remoteScene } from './remote-scene.ts';

const KILLS = rounds(2, 100);
const random = seededRandom(SEED);
const registry = testOptions({ limits: { chunkSize: PIECE } });
const over = new AbortController();

let scene: RemoteScene;
let server: DockerRegistry;
/** A store that has the first version of the series alone. */
let behind: Store;
let [first, last]: [Digest?, Digest?] = [];
/** What the tag points at with the first version, and with the last. */
let [firstIndex, lastIndex]: [Digest?, Digest?] = [];
/** Bytes of the layers in between. */
let added: number;
before(async () => {
  scene = await remoteScene(3);
  server = await dockerRegistry(scene.path('registry'));
  [first, , last] = scene.series;
  assert.ok(first !== undefined && last !== undefined);
  added = await layerBytes(scene.store, last, 1);
  // From copies, whose logs nobody else has: a push that knows of another repository would take everything from there.
  const [older, newer] = [await copyOf(scene.store, 'older'), await copyOf(scene.store, 'newer')];
  await older.remotes.push(first, `${server.host}/seed/first:12`, { registry });
  await newer.remotes.push(REF, `${server.host}/seed/last:12`, { registry });
  [firstIndex, lastIndex] = [await tagOf('seed/first'), await tagOf('seed/last')];
  behind = await scene.other('behind');
  await behind.remotes.pull(`${server.host}/seed/first:12`, { registry, ref: REF });
});
after(async () => {
  over.abort();
  await server[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

async function copyOf(store: Store, name: string): Promise<Store> {
  const folder = scene.path(name);
  await cp(store.folder, folder, { recursive: true });
  return await openStore(folder, { create: false });
}

const docker = (repository: string): string => `docker://${server.host}/${repository}:12`;

/** What a tag points at, as skopeo sees it. */
async function tagOf(repository: string): Promise<Digest> {
  return digestOf(await succeed('skopeo', ['inspect', '--raw', '--tls-verify=false', docker(repository)]));
}

/** Has skopeo copy all that a tag leads to, every digest of which it checks. */
async function copyBySkopeo(from: string, to: string): Promise<void> {
  const flags = ['--all', '--preserve-digests', '--src-tls-verify=false', '--dest-tls-verify=false'];
  await succeed('skopeo', ['copy', '-q', ...flags, from, to]);
}

/** Who is to be killed, and in which store. */
interface Victim {
  readonly store: Store;
  readonly repository: string;
  readonly running: Running;
}

/** How long the transfer takes on this machine when nobody kills it, milliseconds; longer where one took longer. */
const took = { push: 0, pull: 0 };

async function startVictim(what: 'push' | 'pull', at: number): Promise<Victim> {
  const store = await copyOf(what === 'push' ? scene.store : behind, `${what}-${at}`);
  const repository = what === 'push' ? `killed/n${at}` : 'seed/last';
  if (what === 'push') await copyBySkopeo(docker('seed/first'), docker(repository));
  const program = fileURLToPath(new URL('victim.ts', import.meta.url));
  const args = [what, store.folder, `${server.host}/${repository}:12`];
  return { store, repository, running: startNode(program, args, { signal: over.signal }) };
}

/** Kills it at a random moment of its transfer; false when that was done before. */
async function killVictim(what: 'push' | 'pull', { running }: Victim): Promise<boolean> {
  await said(running, /^ready/m);
  running.child.stdin?.write('go\n');
  if (took[what] > 0) await Promise.race([setTimeout(random() * took[what]), running.ended]);
  else await running.ended;
  running.child.kill('SIGKILL');
  const ran = await running.ended;
  const done = /^done (.*)$/m.exec(ran.stdout);
  took[what] = Math.max(took[what], Number(done?.[1] ?? 0));
  assert.ok(ran.signal === 'SIGKILL' || ran.code === 0, report(ran));
  return done === null;
}

async function said(running: Running, what: RegExp): Promise<void> {
  const ended = running.ended.then(() => 'ended');
  while (!what.test(running.stdout())) {
    const next = await Promise.race([once(running.child.stdout ?? running.child, 'data'), ended]);
    if (next === 'ended') assert.fail(report(await running.ended));
  }
}

/** Kills as often as is said, the first victim living: it tells how long it takes. */
async function killAll(
  what: 'push' | 'pull',
  check: (victim: Victim, wasKilled: boolean) => Promise<void>,
): Promise<number> {
  let inside = 0;
  let next: Promise<Victim> | undefined = startVictim(what, 0);
  for (let at = 0; at <= KILLS; at += 1) {
    const victim: Victim = (await next) ?? assert.fail();
    const wasKilled = await killVictim(what, victim);
    if (wasKilled) inside += 1;
    // The next one starts while it is looked at what this one left.
    next = at < KILLS ? startVictim(what, at + 1) : undefined;
    try {
      await check(victim, wasKilled);
    } finally {
      await Promise.allSettled([next]);
    }
    await rm(victim.store.folder, { recursive: true });
  }
  return inside;
}

describe(`after each of ${KILLS} kills -9`, () => {
  it('of a push both sides are sound, and the next one completes it', async (t) => {
    let [moved, before, after_, uploads] = [0, 0, 0, 0];
    const inside = await killAll('push', async ({ store, repository }, wasKilled) => {
      const tag = await tagOf(repository);
      assert.ok(tag === lastIndex || (wasKilled && tag === firstIndex), `${repository} is ${tag}`);
      if (tag === firstIndex) before += 1;
      else after_ += 1;
      uploads += await unfinished(store);
      await assertSoundStore(store, repository);
      const again = await store.remotes.push(REF, `${server.host}/${repository}:12`, { registry });
      if (wasKilled) moved += again.transferredBytes;
      assert.equal(await tagOf(repository), lastIndex);
      const copy = scene.path('copy');
      await copyBySkopeo(docker(repository), `oci:${copy}:12`);
      await rm(copy, { recursive: true });
      assert.equal(await unfinished(store), 0);
    });
    t.diagnostic(`${inside} inside; then the tag was not yet moved ${before} times, moved ${after_} times`);
    t.diagnostic(`${uploads} uploads were cut off; second tries sent ${(moved / inside / added).toFixed(3)}`);
    assert.ok(inside > 0);
  });

  it('of a pull both sides are sound, and the next one completes it', async (t) => {
    let [moved, before, after_, partials] = [0, 0, 0, 0];
    const inside = await killAll('pull', async ({ store, repository }, wasKilled) => {
      const { version } = await store.refs.get(REF);
      assert.ok(version === last || (wasKilled && version === first), version);
      if (version === first) before += 1;
      else after_ += 1;
      partials += await unfinished(store);
      await assertSoundStore(store, repository);
      const remote = `${server.host}/${repository}:12`;
      const again = await store.remotes.pull(remote, { registry, ref: REF });
      if (wasKilled) moved += again.transferredBytes;
      assert.equal((await store.refs.get(REF)).version, last);
      await assertSoundStore(store, repository);
      assert.equal(await unfinished(store), 0);
    });
    t.diagnostic(`${inside} inside; then the ref was not yet moved ${before} times, moved ${after_} times`);
    t.diagnostic(`${partials} layers were cut off; second tries got ${(moved / inside / added).toFixed(3)}`);
    assert.ok(inside > 0);
    assert.equal(await tagOf('seed/last'), lastIndex);
  });
});

/** What transfers are to go on from. */
async function unfinished(store: Store): Promise<number> {
  const names = await readdir(join(store.folder, 'partial')).catch(() => []);
  return names.filter((name) => !name.endsWith('.lock')).length;
}
