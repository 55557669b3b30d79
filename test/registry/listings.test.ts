import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, hexOf } from '../../src/oci/index.ts';
import { openRepository } from '../../src/registry/index.ts';
import { refused } from '../support/refused.ts';
import { fakeRegistry } from './fake-registry.ts';
import { type Fault, faultProxy } from './fault-proxy.ts';
import { httpServer } from './http-server.ts';
import { testOptions } from './scene.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const document = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const manifest = {
  bytes: document({ schemaVersion: 2, mediaType: MANIFEST, config: {}, layers: [] }),
  mediaType: MANIFEST,
};
const digest = digestOf(manifest.bytes);

describe('manifests', () => {
  it('are verified against what they were asked for by, and what the registry calls them', async () => {
    await using registry = await fakeRegistry();
    let fault: Fault | undefined;
    await using proxy = await faultProxy(registry.url, () => fault);
    await using repository = openRepository(`${proxy.host}/a/b`, testOptions());
    assert.equal(await repository.manifests.put('x', manifest), digest);
    assert.deepEqual(await repository.manifests.get(digest), { digest, ...manifest });

    const flip = (bytes: Buffer): Buffer =>
      Buffer.from(bytes.toString().replace('"schemaVersion":2', '"schemaVersion":3'));
    fault = { change: flip };
    const error = await refused(
      repository.manifests.get(digest),
      'changed',
      /expected sha256:\w+, got sha256:/,
    );
    assert.equal(error.data['expected'], digest);
    await refused(repository.manifests.get('x'), 'changed');
    fault = { headers: { 'docker-content-digest': undefined } };
    assert.equal((await repository.manifests.get('x')).digest, digest);
    assert.equal((await repository.manifests.find('x'))?.digest, digest, 'a HEAD that tells nothing');
    fault = { headers: { 'docker-content-digest': 'sha512:1' } };
    assert.equal((await repository.manifests.find('x'))?.digest, digest);
    fault = { headers: { 'docker-content-digest': digestOf('x') } };
    await refused(repository.manifests.get('x'), 'changed');
    await refused(repository.manifests.put('x', manifest), 'changed', /storing it: expected/);
    await refused(repository.manifests.find(digest), 'changed');
  });

  it('are sent again when the registry doubts a digest in them, and not for ever', async () => {
    await using registry = await fakeRegistry();
    let doubts = 2;
    const doubt = { status: 400, body: JSON.stringify({ errors: [{ code: 'DIGEST_INVALID' }] }) };
    await using proxy = await faultProxy(registry.url, ({ method }) => {
      if (method !== 'PUT' || doubts === 0) return undefined;
      doubts -= 1;
      return { answer: doubt };
    });
    await using repository = openRepository(`${proxy.host}/a/b`, testOptions());
    assert.equal(await repository.manifests.put('x', manifest), digest);
    doubts = Number.POSITIVE_INFINITY;
    await refused(repository.manifests.put('x', manifest), 'changed', /DIGEST_INVALID/);
  });

  it('are of the type that they say themselves', async () => {
    await using registry = await fakeRegistry();
    let fault: Fault | undefined;
    await using proxy = await faultProxy(registry.url, () => fault);
    await using repository = openRepository(`${proxy.host}/a/b`, testOptions());
    await repository.manifests.put('x', manifest);
    for (const type of [
      'application/json',
      'application/octet-stream',
      `${MANIFEST}; charset=utf-8`,
      undefined,
    ]) {
      fault = { headers: { 'content-type': type } };
      assert.equal((await repository.manifests.get('x')).mediaType, MANIFEST);
    }
    fault = { headers: { 'content-type': INDEX } };
    await refused(repository.manifests.get('x'), 'invalid', /as it says itself/);
  });

  it('are no larger than registries take them, nor named by what is no name', async () => {
    await using endless = await httpServer(async (_, response) => {
      response.writeHead(200, { 'content-type': INDEX });
      const piece = Buffer.alloc(1 << 20);
      while (!response.destroyed) {
        if (!response.write(piece))
          await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
      }
    });
    await using repository = openRepository(`${endless.host}/a/b`, testOptions());
    await refused(repository.manifests.get('x'), 'out-of-range', /tag x: expected at most 4194304 bytes/);
    await using told = await httpServer(async (_, response) => {
      response.writeHead(200, { 'content-length': 5 << 20 });
      response.flushHeaders();
    });
    await using other = openRepository(`${told.host}/a/b`, testOptions());
    await refused(other.manifests.get('x'), 'out-of-range');
    const large = { bytes: Buffer.alloc((4 << 20) + 1), mediaType: INDEX };
    await refused(other.manifests.put('x', large), 'out-of-range', /storing it/);
    for (const name of ['', '../x', 'a/b', 'sha256:1', 'x?y']) {
      await refused(
        Promise.resolve().then(() => other.manifests.get(name)),
        'usage',
        /a tag or a digest/,
      );
    }
  });

  it('are stored again when the answer is lost', async () => {
    await using registry = await fakeRegistry();
    const faults: Fault[] = [{ loseAnswer: true }, { answer: { status: 502 } }];
    await using proxy = await faultProxy(registry.url, () => faults.shift());
    await using repository = openRepository(`${proxy.host}/a/b`, testOptions());
    assert.equal(await repository.manifests.put('x', manifest), digest);
    assert.equal(proxy.requests.length, 3);
  });
});

describe('tags', () => {
  it('come by pages', async () => {
    await using registry = await fakeRegistry({ page: 2 });
    await using repository = openRepository(`${registry.host}/a/b`, testOptions());
    for (const tag of ['a', 'b', 'c', 'd', 'e']) await repository.manifests.put(tag, manifest);
    assert.deepEqual(await Array.fromAsync(repository.tags()), ['a', 'b', 'c', 'd', 'e']);
    const lists = registry.requests.filter((each) => each.includes('/tags/list'));
    assert.equal(lists.length, 3);
    for await (const tag of repository.tags()) if (tag === 'b') break;
    assert.equal(registry.requests.filter((each) => each.includes('/tags/list')).length, 4);
  });

  it('are refused when they go in circles, lead away, or are none', async () => {
    const links = ['</v2/a/b/tags/list?n=1000>; rel=next', '<http://elsewhere.example/>; rel=next'];
    for (const link of links) {
      await using registry = await httpServer(async (_, response) => {
        response.writeHead(200, { link }).end('{"tags":["x", "../../y", "z z"]}');
      });
      await using repository = openRepository(`${registry.host}/a/b`, testOptions());
      await refused(Array.fromAsync(repository.tags()), 'invalid', /expected a further page/);
    }
    for (const [text, tags] of [
      ['{"tags":null}', []],
      ['{"tags":["x", "../../y", "\\u001b[31m"]}', ['x']],
    ] as const) {
      await using registry = await httpServer(async (_, response) => void response.writeHead(200).end(text));
      await using repository = openRepository(`${registry.host}/a/b`, testOptions());
      assert.deepEqual(await Array.fromAsync(repository.tags()), tags);
    }
    await using registry = await httpServer(
      async (_, response) => void response.writeHead(200).end('{"tags":[1]}'),
    );
    await using repository = openRepository(`${registry.host}/a/b`, testOptions());
    await refused(Array.fromAsync(repository.tags()), 'corrupt', /tags/);
  });
});

describe('referrers', () => {
  const referrer = (artifactType: string) => ({
    mediaType: MANIFEST,
    digest: digestOf(artifactType),
    size: 1,
    artifactType,
  });
  const index = {
    bytes: document({ schemaVersion: 2, mediaType: INDEX, manifests: [referrer('a/x'), referrer('a/y')] }),
    mediaType: INDEX,
  };

  it('are listed by the registry, or lie under a tag of the digest', async () => {
    for (const hasReferrers of [true, false]) {
      await using registry = await fakeRegistry({ hasReferrers });
      await using repository = openRepository(`${registry.host}/a/b`, testOptions());
      if (!hasReferrers) assert.deepEqual(await Array.fromAsync(repository.referrers(digest)), []);
      await repository.manifests.put(hasReferrers ? 'referrers' : `sha256-${hexOf(digest)}`, index);
      assert.equal((await Array.fromAsync(repository.referrers(digest))).length, 2);
      const found = await Array.fromAsync(repository.referrers(digest, { artifactType: 'a/y' }));
      assert.deepEqual(found, [referrer('a/y')]);
      assert.ok(registry.requests.some((each) => each.endsWith(`/referrers/${digest}?artifactType=a%2Fy`)));
    }
  });
});
