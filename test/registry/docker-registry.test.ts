import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { openFile } from '../../src/host/index.ts';
import { type Digest, digestOf } from '../../src/oci/index.ts';
import {
  blobSourceOfBytes,
  login,
  logout,
  openRepository,
  type RegistryOptions,
  type Repository,
  type TransferProgress,
  type UploadState,
} from '../../src/registry/index.ts';
import { makeCertificates } from '../support/certificates.ts';
import { succeed } from '../support/programs.ts';
import { refused } from '../support/refused.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type DockerRegistry, dockerRegistry } from './docker-registry.ts';
import { blobInFile, randomBytes, testOptions } from './scene.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let files = 0;
const fresh = (): string => folder.join(`f${files++}`);

/** Bytes of a piece. */
const PIECE = 64 * 1024;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';

/** Sends an image of one layer; its manifest's digest. */
async function pushImage(repository: Repository, tag: string, layer: Buffer): Promise<Digest> {
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    }),
  );
  for (const bytes of [config, layer]) {
    await repository.blobs.upload(blobSourceOfBytes(bytes, digestOf(bytes)));
  }
  const describe = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: describe(CONFIG, config),
    layers: [describe('application/vnd.oci.image.layer.v1.tar', layer)],
  };
  return await repository.manifests.put(tag, {
    bytes: Buffer.from(JSON.stringify(manifest)),
    mediaType: MANIFEST,
  });
}

describe("a registry of Debian's", () => {
  let registry: DockerRegistry;
  before(async () => {
    registry = await dockerRegistry(folder.join('plain'));
  });
  after(() => registry[Symbol.asyncDispose]());

  it('takes a blob in pieces and gives it back', async () => {
    const options = testOptions({ limits: { chunkSize: PIECE } });
    await using repository = openRepository(`${registry.host}/team/disk`, options);
    await using blob = await blobInFile(fresh(), randomBytes(5 * PIECE + 12_345));
    assert.equal(await repository.blobs.has(blob.digest), false);
    const states: (UploadState | undefined)[] = [];
    const steps: TransferProgress[] = [];
    const sent = await repository.blobs.upload(blob.source, {
      onState: (state) => void states.push(state),
      onProgress: (step) => void steps.push(step),
    });
    assert.deepEqual(sent, { by: 'upload', moved: blob.size });
    assert.deepEqual(
      states.map((state) => state?.offset),
      [0, PIECE, 2 * PIECE, 3 * PIECE, 4 * PIECE, 5 * PIECE, blob.size, undefined],
    );
    assert.deepEqual(steps.at(-1), { done: blob.size, total: blob.size, moved: blob.size, there: 0 });
    assert.equal(await repository.blobs.has(blob.digest), true);
    assert.deepEqual(await repository.blobs.upload(blob.source), { by: 'there', moved: 0 });

    await using target = await openFile(fresh(), { create: true });
    await repository.blobs.read(blob, target);
    assert.ok((await readFile(target.path)).equals(blob.bytes));
    assert.deepEqual(options.waits, []);
  });

  it('takes an image that skopeo reads, and lists tags by pages', async () => {
    await using repository = openRepository(`${registry.host}/team/image`, testOptions());
    const layer = randomBytes(10_000, 2);
    const digest = await pushImage(repository, 'one', layer);
    const { bytes, mediaType } = await repository.manifests.get('one');
    assert.equal(digestOf(bytes), digest);
    assert.equal(mediaType, MANIFEST);
    assert.deepEqual(await repository.manifests.find('one'), { digest, mediaType });
    assert.equal(await repository.manifests.find('two'), undefined);
    await repository.manifests.put('two', { bytes, mediaType });
    const inspect = ['inspect', '--tls-verify=false', `docker://${registry.host}/team/image:two`];
    const seen = JSON.parse(await succeed('skopeo', inspect));
    assert.equal(seen.Digest, digest);
    assert.deepEqual(seen.Layers, [digestOf(layer)]);

    assert.deepEqual(await Array.fromAsync(repository.tags()), ['one', 'two']);
    assert.deepEqual(await repository.blobs.bytes({ digest: digestOf(layer), size: layer.length }), layer);
    await repository.manifests.delete(digest);
    await refused(
      repository.manifests.get('one'),
      'not-found',
      /team\/image: tag one: got status 404 .*MANIFEST_UNKNOWN/,
    );
  });

  it('reads what skopeo sent', async () => {
    await using repository = openRepository(`${registry.host}/team/sent`, testOptions());
    const layer = randomBytes(200_000, 3);
    const digest = await pushImage(repository, 'one', layer);
    await succeed('skopeo', [
      'copy',
      '--preserve-digests',
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      `docker://${registry.host}/team/sent:one`,
      `docker://${registry.host}/other/place:new`,
    ]);
    await using other = openRepository(`${registry.host}/other/place`, testOptions());
    const manifest = await other.manifests.get('new');
    assert.equal(manifest.digest, digest);
    const read = await other.blobs.bytes({ digest: digestOf(layer), size: layer.length });
    assert.ok(read.equals(layer));
  });

  it('gives a blob to another repository without its bytes', async () => {
    await using one = openRepository(`${registry.host}/mount/one`, testOptions());
    await using two = openRepository(`${registry.host}/mount/two`, testOptions());
    await using blob = await blobInFile(fresh(), randomBytes(100_000, 4));
    await one.blobs.upload(blob.source);
    const mounted = await two.blobs.upload(blob.source, { mountFrom: 'mount/one' });
    assert.deepEqual(mounted, { by: 'mount', moved: 0 });
    assert.equal(await two.blobs.has(blob.digest), true);
    // Where it is not, it is sent.
    await using new_ = await blobInFile(fresh(), randomBytes(100_000, 5));
    const sent = await two.blobs.upload(new_.source, { mountFrom: 'mount/one' });
    assert.deepEqual(sent, { by: 'upload', moved: new_.size });
    await two.blobs.delete(new_.digest);
    assert.equal(await two.blobs.has(new_.digest), false);
  });

  it('goes on with an upload after both sides were killed between two pieces', async () => {
    const options = testOptions({ limits: { chunkSize: PIECE } });
    await using blob = await blobInFile(fresh(), randomBytes(4 * PIECE, 6));
    let kept: UploadState | undefined;
    {
      await using repository = openRepository(`${registry.host}/team/killed`, options);
      const ended = new AbortController();
      const upload = repository.blobs.upload(blob.source, {
        signal: ended.signal,
        onState: (state) => {
          kept = state;
          if (state?.offset === 3 * PIECE) ended.abort();
        },
      });
      await refused(upload, 'aborted');
    }
    await registry.kill();
    await registry.restart();
    await using repository = openRepository(`${registry.host}/team/killed`, options);
    const state: UploadState = JSON.parse(JSON.stringify(kept));
    const steps: TransferProgress[] = [];
    const sent = await repository.blobs.upload(blob.source, {
      state,
      onProgress: (step) => void steps.push(step),
    });
    assert.deepEqual(sent, { by: 'upload', moved: PIECE });
    assert.deepEqual(steps.at(-1), { done: blob.size, total: blob.size, moved: PIECE, there: 3 * PIECE });
    assert.equal(await repository.blobs.has(blob.digest), true);
  });

  it('begins an upload anew that was cancelled', async () => {
    const options = testOptions({ limits: { chunkSize: PIECE } });
    await using repository = openRepository(`${registry.host}/team/cancelled`, options);
    await using blob = await blobInFile(fresh(), randomBytes(2 * PIECE, 7));
    const ended = new AbortController();
    let kept: UploadState | undefined;
    const upload = repository.blobs.upload(blob.source, {
      signal: ended.signal,
      onState: (state) => {
        kept = state;
        if (state?.offset === PIECE) ended.abort();
      },
    });
    await refused(upload, 'aborted');
    assert.ok(kept);
    await repository.blobs.cancel(blob.source, kept);
    await repository.blobs.cancel(blob.source, kept);
    const sent = await repository.blobs.upload(blob.source, { state: kept });
    assert.deepEqual(sent, { by: 'upload', moved: blob.size });
  });

  it('is refused bytes that are not those of the digest, on either side', async () => {
    await using repository = openRepository(`${registry.host}/team/wrong`, testOptions());
    const [bytes, others] = [randomBytes(5000, 8), randomBytes(5000, 9)];
    const digest = digestOf(bytes);
    await refused(repository.blobs.upload(blobSourceOfBytes(others, digest)), 'changed', /DIGEST_INVALID/);
    assert.equal(await repository.blobs.has(digest), false);
    await repository.blobs.upload(blobSourceOfBytes(bytes, digest));
    const hex = digest.slice(7);
    const stored = folder.join('plain/data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
    await writeFile(stored, others);
    await using target = await openFile(fresh(), { create: true });
    await refused(
      repository.blobs.read({ digest, size: 5000 }, target),
      'changed',
      /bytes that came hash to/,
    );
    assert.equal(target.stat().size, 0, 'nothing is left to go on from');
  });

  it('is found to speak TLS or not, on the loopback alone', async () => {
    const options = { env: {} };
    await using found = openRepository(`localhost:${registry.port}/a/b`, options);
    assert.equal(await found.manifests.find('x'), undefined);
    await using strict = openRepository(`localhost:${registry.port}/a/b`, { ...options, plainHttp: false });
    await refused(strict.manifests.find('x'), 'invalid', /expected a server that speaks TLS/);
  });
});

describe("a registry of Debian's with TLS and passwords", () => {
  const user = { username: 'ann', password: 'p:ä"\\' };
  let registry: DockerRegistry;
  let caFile: string;
  let secure: RegistryOptions;
  before(async () => {
    const certificates = await makeCertificates(folder.join('certificates'), 'IP:127.0.0.1');
    caFile = `${certificates}/ca-cert.pem`;
    registry = await dockerRegistry(folder.join('secure'), { certificates, user });
    secure = { caFile, env: { HOME: folder.join('home'), PATH: process.env['PATH'] } };
  });
  after(() => registry[Symbol.asyncDispose]());

  it('is not trusted without its authority', async () => {
    await using repository = openRepository(`${registry.host}/a/b`, { env: secure.env ?? {} });
    const error = await refused(repository.manifests.get('x'), 'denied', /certificate is not trusted/);
    assert.match(error.hint ?? '', /certs\.d/);
  });

  it('lets in who is logged in, whose password nobody else reads', async () => {
    await using stranger = openRepository(`${registry.host}/a/b`, secure);
    const bytes = randomBytes(70_000, 10);
    const source = blobSourceOfBytes(bytes, digestOf(bytes));
    await refused(stranger.blobs.upload(source), 'denied', /status 401/);
    const error = await refused(stranger.manifests.get('one'), 'denied', /status 401.*UNAUTHORIZED/);
    assert.equal(error.hint, `calve login ${registry.host}`);
    assert.equal(error.data['status'], 401);
    assert.equal(error.data['registryCode'], 'UNAUTHORIZED');

    await refused(
      login(registry.host, { ...user, password: 'wrong' }, secure),
      'denied',
      /logging in: got status 401/,
    );
    const { file } = await login(registry.host, user, secure);
    assert.equal(file, folder.join('home/.docker/config.json'));
    assert.equal((await stat(file)).mode & 0o777, 0o600);

    await using repository = openRepository(`${registry.host}/a/b`, secure);
    assert.deepEqual(await repository.blobs.upload(source), { by: 'upload', moved: bytes.length });
    assert.deepEqual(await repository.blobs.bytes({ digest: source.digest, size: source.size }), bytes);
    const config = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual(config, {
      auths: {
        [registry.host]: { auth: Buffer.from(`${user.username}:${user.password}`).toString('base64') },
      },
    });

    // The same file serves skopeo.
    await pushImage(repository, 'one', bytes);
    const certs = folder.join('skopeo-certs');
    await mkdir(certs);
    await writeFile(`${certs}/ca.crt`, await readFile(caFile));
    const inspect = ['inspect', '--authfile', file, '--cert-dir', certs, `docker://${registry.host}/a/b:one`];
    assert.match(await succeed('skopeo', inspect), new RegExp(source.digest));

    assert.deepEqual(await logout(registry.host, secure), { file });
    assert.equal(await logout(registry.host, secure), undefined);
    await using again = openRepository(`${registry.host}/a/b`, secure);
    await refused(again.blobs.has(source.digest), 'denied');
  });

  it('is shown the certificate that lies where podman looks for it', async () => {
    const certificates = folder.join('certificates');
    await using strict = await dockerRegistry(folder.join('strict'), { certificates, onlyCertified: true });
    await using stranger = openRepository(`${strict.host}/a/b`, secure);
    await refused(stranger.manifests.find('x'), 'denied', /refuses to speak TLS.*_CERTIFICATE/);
    const home = folder.join('podman');
    const certs = `${home}/.config/containers/certs.d/${strict.host}`;
    await mkdir(certs, { recursive: true });
    await copyFile(`${certificates}/ca-cert.pem`, `${certs}/ca.crt`);
    await copyFile(`${certificates}/client-cert.pem`, `${certs}/client.cert`);
    await copyFile(`${certificates}/client-key.pem`, `${certs}/client.key`);
    await using repository = openRepository(`${strict.host}/a/b`, { env: { HOME: home } });
    assert.equal(await repository.manifests.find('x'), undefined);
    await writeFile(`${certs}/client.key`, 'no key');
    await using broken = openRepository(`${strict.host}/a/b`, { env: { HOME: home } });
    await refused(broken.manifests.find('x'), 'invalid', /expected certificates in PEM/);
  });
});
