import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CalveError } from '../../src/errors/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import type { Store } from '../../src/store/index.ts';
import { type DockerRegistry, dockerRegistry } from '../registry/docker-registry.ts';
import { faultProxy } from '../registry/fault-proxy.ts';
import { testOptions } from '../registry/scene.ts';
import { rounds } from '../support/suite.ts';
import { assertEqualDisks, commitOn, REF, type RemoteScene, remoteScene } from './remote-scene.ts';

const ROUNDS = rounds(1, 20);
const registry = testOptions();

let scene: RemoteScene;
let server: DockerRegistry;
/** Two who have something of their own to push, and what that is. */
let pushers: readonly { readonly store: Store; readonly version: Digest }[];
before(async () => {
  scene = await remoteScene(1);
  server = await dockerRegistry(scene.path('registry'));
  const remote = `${server.host}/common/debian:12`;
  await scene.store.remotes.push(REF, remote, { registry });
  pushers = await Promise.all(
    ['ann', 'bob'].map(async (name) => {
      const store = await scene.other(name);
      await store.remotes.pull(remote, { registry });
      return { store, version: await commitOn(store, REF, name) };
    }),
  );
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** Has both push to one tag at a time, and asserts that one has it and the other knows. */
async function race(host: string, repository: string): Promise<void> {
  const remote = `${host}/${repository}:12`;
  const results = await Promise.allSettled(
    pushers.map(({ store }) => store.remotes.push(REF, remote, { registry })),
  );
  const won = results.findIndex(({ status }) => status === 'fulfilled');
  const lost = results.findIndex(({ status }) => status === 'rejected');
  assert.deepEqual([won, lost].sort(), [0, 1], JSON.stringify(results));
  const [winner = assert.fail(), loser = assert.fail()] = [pushers[won], pushers[lost]];
  const result = results[lost];
  const error: unknown = result?.status === 'rejected' ? result.reason : undefined;
  assert.ok(CalveError.is(error, 'diverged'), String(error));
  assert.match(error.message, new RegExp(winner.version.slice(7, 19)));
  assert.match(error.hint ?? '', /calve pull/);

  // What either has sent is there, and who was late has lost nothing and can go on.
  const there = `${server.host}/${repository}`;
  const other = await scene.other(`after ${repository}`);
  const pulled = await other.remotes.pull(`${there}:12`, { registry, ref: REF });
  assert.equal(pulled.version.digest, winner.version);
  await assertEqualDisks(winner.store, other, winner.version);
  await other.remotes.pull(`${there}@${loser.version}`, { registry });
  await assertEqualDisks(loser.store, other, loser.version);
  assert.equal((await loser.store.refs.get(REF)).version, loser.version);
  await loser.store.remotes.push(REF, `${there}:late`, { registry });
}

describe('of two who push to one tag at a time, one has it and the other is told', () => {
  it('when both have found it where it was, and move it together', async () => {
    const both = Promise.withResolvers<void>();
    let arrived = 0;
    await using proxy = await faultProxy(`http://${server.host}`, ({ method, path }) => {
      if (method !== 'PUT' || !path.endsWith('/manifests/12')) return undefined;
      arrived += 1;
      if (arrived === 2) both.resolve();
      return { until: both.promise };
    });
    await scene.store.remotes.push(REF, `${server.host}/together/debian:12`, { registry });
    await race(proxy.host, 'together/debian');
    assert.equal(arrived, 2, 'both had found it free');
  });

  it(`whenever they do, ${ROUNDS} times`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) await race(server.host, `any/n${round}`);
  });
});
