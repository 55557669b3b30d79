import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '../../src/errors/index.ts';
import { type Digest, digestOf, MEDIA_TYPE_INDEX } from '../../src/oci/index.ts';
import type { RegistryLimits } from '../../src/registry/index.ts';
import type { Store } from '../../src/store/index.ts';
import { type DockerRegistry, dockerRegistry } from '../registry/docker-registry.ts';
import { fakeRegistry } from '../registry/fake-registry.ts';
import { type Fault, type FaultyRequest, faultProxy } from '../registry/fault-proxy.ts';
import { testOptions } from '../registry/scene.ts';
import { tokenServer } from '../registry/token-server.ts';
import { refused } from '../support/refused.ts';
import { LONG } from '../support/suite.ts';
import { assertSoundStore, layerBytes, PIECE, REF, type RemoteScene, remoteScene } from './remote-scene.ts';

let scene: RemoteScene;
let server: DockerRegistry;
let version: Digest;
let layer: Digest;
/** Bytes of the one layer. */
let size: number;
before(async () => {
  scene = await remoteScene(1);
  server = await dockerRegistry(scene.path('registry'));
  [version = assert.fail()] = scene.series;
  [{ digest: layer } = assert.fail()] = (await scene.store.versions.get(version)).layers;
  size = await layerBytes(scene.store, version);
  await scene.store.remotes.push(REF, `${server.host}/whole/debian:12`, { registry: testOptions() });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** What goes wrong with the n-th request of its method that is about the layer. */
type Plan = (method: string, nth: number) => Fault | undefined;

interface Trouble {
  readonly what: string;
  readonly plan: Plan;
  /** How the first try ends, where it does not end well. */
  readonly ends?: ErrorCode;
  /** Bytes over the wire in all tries, in layers (1.2). */
  readonly most?: number;
  readonly limits?: Partial<RegistryLimits>;
}

const answered = (status: number, headers: Record<string, string> = {}): Fault => ({
  answer: { status, headers },
});
/** Goes wrong once, at the n-th request of a method. */
const once =
  (method: string, at: number, fault: Fault): Plan =>
  (asked, nth) =>
    asked === method && nth === at ? fault : undefined;
/** Goes wrong at the n-th request of a method, and what comes after it is refused. */
const forEver =
  (method: string, at: number, fault: Fault): Plan =>
  (asked, nth) => {
    if (asked !== method || nth < at) return undefined;
    return nth === at ? fault : answered(503);
  };
/** A machine that is slow waits longer for an answer than a stalled one would take: it is tried again. */
const IMPATIENT = { stallMs: 300, answerMs: 300, retries: 20 };

const onTheWayThere: readonly Trouble[] = [
  { what: 'a connection that breaks', plan: once('PATCH', 2, { cutRequestAt: PIECE / 2 }) },
  { what: 'one that breaks ahead of the first byte', plan: once('PATCH', 2, { cutRequestAt: 0 }) },
  { what: 'an answer that is lost', plan: once('PATCH', 0, { loseAnswer: true }) },
  { what: 'the last answer, lost', plan: once('PUT', 0, { loseAnswer: true }) },
  { what: 'the first answer, lost', plan: once('POST', 0, { loseAnswer: true }) },
  { what: 'a connection that stalls', plan: once('PATCH', 1, { stallRequestAt: 1000 }), limits: IMPATIENT },
  { what: 'status 429', plan: once('PATCH', 3, answered(429, { 'retry-after': '7' })) },
  { what: 'status 500', plan: once('PUT', 0, answered(500)) },
  { what: 'a connection that breaks for good', plan: forEver('PATCH', 6, { cutRequestAt: 9 }), ends: 'io' },
  { what: 'status 500 for good', plan: forEver('PATCH', 5, answered(500)), ends: 'io' },
  { what: 'no end', plan: (method) => (method === 'PUT' ? answered(502) : undefined), ends: 'io' },
  {
    what: 'more patience than one has',
    plan: forEver('PATCH', 4, answered(429, { 'retry-after': '9999' })),
    ends: 'io',
  },
  { what: 'no room there', plan: forEver('PATCH', 4, answered(507)), ends: 'io' },
  { what: 'nobody let in any more', plan: forEver('PATCH', 4, answered(403)), ends: 'denied' },
];

const onTheWayBack: readonly Trouble[] = [
  { what: 'a connection that breaks', plan: once('GET', 0, { cutAnswerAt: 700_000 }) },
  { what: 'an answer that ends early', plan: once('GET', 0, { truncateAnswerAt: 700_000 }) },
  { what: 'an answer that is lost', plan: once('GET', 0, { loseAnswer: true }) },
  { what: 'a connection that stalls', plan: once('GET', 0, { stallAnswerAt: 500_000 }), limits: IMPATIENT },
  { what: 'status 429', plan: once('GET', 0, answered(429, { 'retry-after': '7' })) },
  { what: 'status 500', plan: once('GET', 0, answered(500)) },
  {
    what: 'a range that is ignored',
    plan: (_, nth) => [{ cutAnswerAt: 150_000 }, { forgetHeader: 'range' }][nth],
  },
  {
    what: 'a range that is refused',
    plan: (_, nth) => [{ cutAnswerAt: 150_000 }, answered(416)][nth],
  },
  {
    what: 'another range than was asked for',
    plan: (_, nth) => [{ cutAnswerAt: 150_000 }, { headers: { 'content-range': 'bytes 0-5/6' } }][nth],
    most: 2.1,
  },
  {
    what: 'a connection that breaks for good',
    plan: forEver('GET', 0, { cutAnswerAt: 900_000 }),
    ends: 'io',
  },
  {
    what: 'a redirection to elsewhere',
    plan: (_, nth) => {
      const location = `http://${server.host}/v2/whole/debian/blobs/${layer}`;
      return nth === 0 ? answered(307, { location }) : undefined;
    },
  },
  {
    what: 'redirections without an end',
    plan: () => answered(307, { location: `/v2/whole/debian/blobs/${layer}` }),
    ends: 'invalid',
  },
  {
    what: 'wrong bytes',
    plan: once('GET', 0, {
      change: (body) => Buffer.from(body.map((byte, at) => (at === 5 ? ~byte : byte))),
    }),
    ends: 'changed',
    most: 2.1,
  },
  {
    what: 'a blob that is gone halfway',
    plan: (_, nth) => (nth === 0 ? { cutAnswerAt: 900_000 } : answered(404)),
    ends: 'not-found',
  },
  {
    what: 'wrong bytes from the middle on',
    plan: (_, nth) => {
      if (nth === 0) return { cutAnswerAt: 1_300_000 };
      return nth === 1 ? { change: (body) => Buffer.alloc(body.length) } : undefined;
    },
    ends: 'changed',
    most: 2.1,
  },
  {
    what: 'fewer bytes than there are',
    plan: once('GET', 0, { headers: { 'content-length': '9' }, cutAnswerAt: 9 }),
    ends: 'changed',
  },
];

/** Counts the requests about the layer, by method. */
function planned(plan: Plan, isOver: () => boolean): (request: FaultyRequest) => Fault | undefined {
  const asked = new Map<string, number>();
  return ({ method, path, length }) => {
    const isAbout = /\/blobs\/uploads\//.test(path)
      ? length > PIECE / 2 || decodeURIComponent(path).includes(layer)
      : path.endsWith(layer);
    const begins = method === 'POST';
    if (isOver() || method === 'HEAD' || !(isAbout || begins)) return undefined;
    const nth = asked.get(method) ?? 0;
    asked.set(method, nth + 1);
    return plan(method, nth);
  };
}

/** Two tries: the first in trouble, the second without, where it is needed. */
async function tryTwice(
  { ends }: Trouble,
  attempt: () => Promise<unknown>,
  end: () => void,
  between: () => Promise<void>,
): Promise<void> {
  if (ends !== undefined) {
    await refused(attempt(), ends);
    await between();
  }
  if (ends !== undefined) end();
  await attempt();
}

/** What the short form does: every third. */
const some = (troubles: readonly Trouble[]): readonly Trouble[] =>
  LONG ? troubles : troubles.filter((_, at) => at % 3 === 0);

describe('a push that meets', () => {
  for (const [at, trouble] of some(onTheWayThere).entries()) {
    const { what, plan, most = 1.2, limits } = trouble;
    it(`${what} ends well${trouble.ends === undefined ? '' : ', the second time'}`, async (t) => {
      let isOver = false;
      await using proxy = await faultProxy(
        `http://${server.host}`,
        planned(plan, () => isOver),
      );
      const registry = testOptions({ limits: { chunkSize: PIECE, ...limits } });
      const repository = `pushed/n${at}`;
      await tryTwice(
        trouble,
        () => scene.store.remotes.push(REF, `${proxy.host}/${repository}:12`, { registry }),
        () => (isOver = true),
        async () => assert.equal(await statusOfTag(repository), 404),
      );
      t.diagnostic(`${(proxy.received() / size).toFixed(3)} of the layer went`);
      assert.ok(proxy.received() <= most * size, `${proxy.received()} bytes for ${size}`);
      const response = await fetch(`http://${server.host}/v2/${repository}/blobs/${layer}`);
      assert.equal(digestOf(Buffer.from(await response.arrayBuffer())), layer);
      assert.equal(await statusOfTag(repository), 200);
    });
  }

  it('a token that expires asks for another', async () => {
    await using tokens = await tokenServer();
    await using fake = await fakeRegistry({ guard: tokens.guard });
    await using proxy = await faultProxy(fake.url, ({ method }) => {
      if (method === 'PATCH' && proxy.requests.filter((each) => each.method === method).length === 4) {
        tokens.expire();
      }
      return undefined;
    });
    const registry = testOptions({ limits: { chunkSize: PIECE } });
    await scene.store.remotes.push(REF, `${proxy.host}/team/debian:12`, { registry });
    assert.ok(proxy.received() < 1.2 * size, `${proxy.received()} bytes for ${size}`);
    const [count, sent] = [tokens.asked.length, proxy.sent()];
    const empty = await scene.other('by tokens');
    tokens.expire();
    await empty.remotes.pull(`${proxy.host}/team/debian:12`, { registry });
    assert.ok(tokens.asked.length > count);
    assert.ok(proxy.sent() - sent < 1.2 * size);
    await assertWhole(empty);
  });
});

describe('a pull that meets', () => {
  for (const [at, trouble] of some(onTheWayBack).entries()) {
    const { what, plan, most = 1.2, limits } = trouble;
    it(`${what} ends well${trouble.ends === undefined ? '' : ', the second time'}`, async (t) => {
      let isOver = false;
      await using proxy = await faultProxy(
        `http://${server.host}`,
        planned(plan, () => isOver),
      );
      const store = await scene.other(`pulled ${at}`);
      const registry = testOptions({ limits: { ...limits } });
      await tryTwice(
        trouble,
        () => store.remotes.pull(`${proxy.host}/whole/debian:12`, { registry }),
        () => (isOver = true),
        async () => {
          await assertSoundStore(store, what);
          assert.deepEqual(await store.refs.list(), []);
        },
      );
      t.diagnostic(`${(proxy.sent() / size).toFixed(3)} of the layer came`);
      assert.ok(proxy.sent() <= most * size, `${proxy.sent()} bytes for ${size}`);
      await assertWhole(store);
    });
  }
});

async function statusOfTag(repository: string): Promise<number> {
  const url = `http://${server.host}/v2/${repository}/manifests/12`;
  return (await fetch(url, { method: 'HEAD', headers: { accept: MEDIA_TYPE_INDEX } })).status;
}

async function assertWhole(store: Store): Promise<void> {
  assert.equal((await store.refs.get(REF)).version, version);
  await assertSoundStore(store);
}
