import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { ErrorCode } from '../../src/errors/index.ts';
import { type Digest, digestOf, hexOf, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST } from '../../src/oci/index.ts';
import type { Store } from '../../src/store/index.ts';
import type { LayerInfo } from '../../src/store/types.ts';
import { encodeVersion } from '../../src/store/version-document.ts';
import { type FakeRegistry, fakeRegistry } from '../registry/fake-registry.ts';
import { testOptions } from '../registry/scene.ts';
import { succeed } from '../support/programs.ts';
import { refused } from '../support/refused.ts';
import { MiB } from '../support/store-scene.ts';
import { assertSoundStore, type RemoteScene, remoteScene } from './remote-scene.ts';
import { treeOf } from './tree-of.ts';

const REPOSITORY = 'team/trap';
const registry = testOptions({ limits: { retries: 2 } });
let scene: RemoteScene;
let fake: FakeRegistry;
/** A store that holds two versions of somebody honest, of which the second's layer stands on the first's. */
let victim: Store;
let base: LayerInfo;
let upper: LayerInfo;
before(async () => {
  scene = await remoteScene(2);
  victim = scene.store;
  [base = assert.fail(), upper = assert.fail()] = (await victim.versions.get('debian:12')).layers;
  fake = await fakeRegistry();
});
after(async () => {
  await fake[Symbol.asyncDispose]();
  await scene[Symbol.asyncDispose]();
});

/** Makes the registry have a blob. */
function blob(bytes: Uint8Array | string): LayerInfo {
  const buffer = Buffer.from(bytes);
  const digest = digestOf(buffer);
  fake.blobs.set(`${REPOSITORY}@${digest}`, buffer);
  return { digest, size: buffer.length };
}

/** Makes it have a manifest; under a tag too. */
function manifest(bytes: Uint8Array | string, type: string = MEDIA_TYPE_MANIFEST, tag?: string): LayerInfo {
  const buffer = Buffer.from(bytes);
  const digest = digestOf(buffer);
  fake.manifests.set(`${REPOSITORY}:${digest}`, { bytes: buffer, type });
  if (tag !== undefined) fake.manifests.set(`${REPOSITORY}:${tag}`, { bytes: buffer, type });
  return { digest, size: buffer.length };
}

interface Told {
  readonly size?: number;
  readonly parents?: readonly Digest[];
  readonly message?: string;
  /** What its documents say instead. */
  readonly config?: (config: Record<string, unknown>) => unknown;
  readonly manifest?: (manifest: Record<string, unknown>) => unknown;
}

/** Makes it have a version of these layers, and calls that by the tag. */
function version(layers: readonly LayerInfo[], told: Told = {}, tag = 'bad'): LayerInfo {
  const made = {
    ...{ message: told.message ?? 'a trap', author: 'Mallory', created: '2026-01-01T00:00:00.000Z' },
    ...{ parents: told.parents ?? [], size: told.size ?? 4 * MiB, machine: {}, made: { command: 'import' } },
  };
  const honest = encodeVersion(made, layers);
  const config = told.config?.(JSON.parse(honest.config));
  const described = blob(config === undefined ? honest.config : JSON.stringify(config));
  const document = { ...JSON.parse(honest.manifest) };
  document.config = { ...document.config, ...described };
  return manifest(JSON.stringify(told.manifest?.(document) ?? document), MEDIA_TYPE_MANIFEST, tag);
}

const images = new Map<string, Buffer>();

/** An image that QEMU makes, changed as bytes. */
async function image(
  args: readonly string[],
  change: (bytes: Buffer) => void = () => {},
): Promise<LayerInfo> {
  const key = args.join(' ');
  const made = images.get(key) ?? (await createImage(args));
  images.set(key, made);
  const bytes = Buffer.from(made);
  change(bytes);
  return blob(bytes);
}

async function createImage(args: readonly string[]): Promise<Buffer> {
  const path = scene.path(`image-${images.size}`);
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...args, path, '4M']);
  return await readFile(path);
}

const backedBy = (name: string, format = 'qcow2'): string[] => ['-u', '-b', name, '-F', format];
const indexOf = (manifests: readonly object[]): string =>
  JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE_INDEX, manifests });

type Trap = readonly [what: string, code: ErrorCode, message: RegExp, set: () => unknown];

const traps: readonly Trap[] = [
  // What is under the tag.
  [
    'an image of a container',
    'unsupported',
    /expected a version that calve pushed, got an image/,
    () => manifest(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }), MEDIA_TYPE_MANIFEST, 'bad'),
  ],
  [
    'an index of images',
    'unsupported',
    /an index of other things/,
    () => {
      const { digest, size } = version([base]);
      const entry = { mediaType: MEDIA_TYPE_MANIFEST, digest, size, platform: { os: 'linux' } };
      manifest(indexOf([entry]), MEDIA_TYPE_INDEX, 'bad');
    },
  ],
  ['an empty index', 'unsupported', /an empty index/, () => manifest(indexOf([]), MEDIA_TYPE_INDEX, 'bad')],
  [
    'an index that is no index',
    'corrupt',
    /manifests/,
    () => manifest('{"schemaVersion":2,"manifests":7}', MEDIA_TYPE_INDEX, 'bad'),
  ],
  ['no JSON', 'corrupt', /JSON/, () => manifest('no', MEDIA_TYPE_INDEX, 'bad')],
  [
    'another kind of document',
    'unsupported',
    /docker/,
    () => manifest('{}', 'application/vnd.docker.distribution.manifest.v2+json', 'bad'),
  ],
  [
    'an index of more than 4 MiB',
    'out-of-range',
    /at most 4194304 bytes/,
    () => manifest(indexOf([]).padEnd(4 * MiB + 1), MEDIA_TYPE_INDEX, 'bad'),
  ],
  [
    'an index that names the version again and again, and others that are not there',
    'corrupt',
    /expected a qcow2 file/,
    () => {
      const first = { mediaType: MEDIA_TYPE_MANIFEST, ...version([blob('no image')]) };
      const others = Array.from({ length: 100 }, (_, at) => ({ ...first, digest: digestOf(`${at}`) }));
      manifest(indexOf([first, first, ...others, first]), MEDIA_TYPE_INDEX, 'bad');
    },
  ],
  [
    'a parent that is no version',
    'corrupt',
    /mediaType|artifactType/,
    () => {
      const described = { mediaType: 'application/json', ...blob('{}') };
      const { digest } = manifest(JSON.stringify({ schemaVersion: 2, config: described, layers: [] }));
      version([base], { parents: [digest] });
    },
  ],
  [
    'a parent that has the bytes of its child',
    'changed',
    /expected sha256:\w+, got sha256:\w+/,
    () => {
      const parent = digestOf('a loop cannot be made');
      const child = version([base], { parents: [parent] });
      const { bytes, type } = fake.manifests.get(`${REPOSITORY}:${child.digest}`) ?? assert.fail();
      fake.manifests.set(`${REPOSITORY}:${parent}`, { bytes, type });
    },
  ],
  [
    'a parent that says of the same layer what its child does not',
    'corrupt',
    /layer below: expected sha256:\w+ as version \w+ says, got none/,
    async () => {
      const top = await image(backedBy(hexOf(base.digest)));
      const { digest } = version([top]);
      version([base, top], { parents: [digest] });
    },
  ],
  // What manifests and configs say.
  [
    '5,000 layers',
    'unsupported',
    /expected at most 1000 layers, got 5000/,
    () => version(Array.from({ length: 5000 }, (_, at) => ({ digest: digestOf(`${at}`), size: 1 }))),
  ],
  [
    'layers of another type',
    'corrupt',
    /layers\.0\.mediaType/,
    () =>
      version([base], {
        manifest: (said) => ({ ...said, layers: [{ mediaType: 'application/x-tar', ...base }] }),
      }),
  ],
  [
    'no layers',
    'corrupt',
    /layers/,
    () => version([base], { manifest: (said) => ({ ...said, layers: [] }) }),
  ],
  [
    'a digest that is a path',
    'corrupt',
    /digest/,
    () =>
      version([base], {
        manifest: (said) => ({
          ...said,
          layers: [
            { mediaType: 'application/vnd.calve.layer.v1+qcow2', digest: 'sha256:../../etc', size: 1 },
          ],
        }),
      }),
  ],
  [
    'a config that tells of other layers',
    'corrupt',
    /disks\.0\.layers: expected 1 as in the manifest, got 2/,
    () => version([base], { config: (said) => ({ ...said, disks: [{ name: 'd', size: 1, layers: 2 }] }) }),
  ],
  [
    'a config that is none',
    'corrupt',
    /message/,
    () => version([base], { config: () => ({ hello: 'world' }) }),
  ],
  [
    'a config of 5 MiB',
    'out-of-range',
    /expected at most/,
    () => version([base], { message: 'x'.repeat(5 * MiB) }),
  ],
  [
    'a config that is not there',
    'not-found',
    /blob sha256/,
    () =>
      version([base], {
        manifest: (said) => ({ ...said, config: { ...(said['config'] as object), digest: digestOf('?') } }),
      }),
  ],
  // What layers are.
  [
    'a layer that is not there',
    'not-found',
    /blob sha256/,
    () => version([{ digest: digestOf('?'), size: 9 }]),
  ],
  [
    'a layer that is smaller than told',
    'changed',
    /expected \d+ bytes, got 200/,
    () => version([{ ...blob(Buffer.alloc(200)), size: 300 }]),
  ],
  [
    'a layer that is larger than told',
    'changed',
    /expected 100 bytes, got/,
    () => version([{ ...blob(Buffer.alloc(201)), size: 100 }]),
  ],
  ['a layer that is no image', 'corrupt', /expected a qcow2 file/, () => version([blob('#!/bin/sh')])],
  [
    'a layer that is the beginning of an image',
    'corrupt',
    /header|expected/,
    () => version([blob('QFI\xfb\0\0\0\x03')]),
  ],
  [
    'a base that stands on a file of this machine',
    'corrupt',
    /backing file: expected none, got \/etc\/passwd/,
    async () => version([await image(backedBy('/etc/passwd', 'raw'))]),
  ],
  [
    'a layer that stands on a file of this machine',
    'corrupt',
    /backing file: expected [0-9a-f]{64}, got \/etc\/passwd/,
    async () => version([base, await image(backedBy('/etc/passwd'))]),
  ],
  [
    'a layer that stands on another one',
    'corrupt',
    /backing file: expected [0-9a-f]{64}, got [0-9a-f]{64}/,
    async () => version([base, await image(backedBy(hexOf(upper.digest)))]),
  ],
  [
    'a layer that takes what it stands on for raw',
    'corrupt',
    /backing format: expected qcow2, got raw/,
    async () => version([base, await image(backedBy(hexOf(base.digest), 'raw'))]),
  ],
  [
    'a layer with a data file',
    'corrupt',
    /external data file/,
    async () => version([await image(['-o', `data_file=${scene.path('data')}`])]),
  ],
  [
    'an encrypted layer',
    'corrupt',
    /encryption/,
    async () => version([await image([], (bytes) => bytes.writeUInt32BE(1, 32))]),
  ],
  [
    'a layer with wrong refcounts',
    'corrupt',
    /refcount|corruption/,
    async () => version([await image([], (bytes) => bytes.fill(0, 2 * 65536, 2 * 65536 + 8))]),
  ],
  [
    'a layer whose refcount table is outside',
    'corrupt',
    /refcount/,
    async () => version([await image([], (bytes) => bytes.writeBigUInt64BE(2n ** 40n, 48))]),
  ],
  [
    'a disk of another size than told',
    'corrupt',
    /expected a disk of 8388608 bytes as its config says, got 4194304/,
    async () => version([await image([])], { size: 8 * MiB }),
  ],
  // What is said of layers that are here already.
  [
    'the upper layer without the lower',
    'corrupt',
    /backing file: expected none, got [0-9a-f]{64}/,
    () => version([upper]),
  ],
  ['layers in another order', 'corrupt', /backing file: expected none/, () => version([upper, base])],
  [
    'another size of the disk that is here',
    'corrupt',
    /expected a disk of 8388608 bytes/,
    () => version([base], { size: 8 * MiB }),
  ],
  [
    'a layer that is here, of another length',
    'corrupt',
    /expected 77 bytes as its manifest says, got \d+ in this store/,
    () => version([{ ...base, size: 77 }]),
  ],
  ['a layer twice', 'corrupt', /layer below: expected none/, () => version([base, base])],
];

describe('a registry that means harm is refused, and nothing of what it has stays:', () => {
  for (const [what, code, message, set] of traps) {
    it(what, async () => {
      fake.blobs.clear();
      fake.manifests.clear();
      await set();
      const before = await treeOf(victim.folder);
      const pulling = victim.remotes.pull(`${fake.host}/${REPOSITORY}:bad`, { registry, all: true });
      const error = await refused(pulling, code, message);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
      assert.doesNotMatch(error.message, /[\0-\x08\x0b-\x1f\x7f]/);
      assert.deepEqual(await treeOf(victim.folder), before);
    });
  }

  it('and the store is sound', async () => {
    await assertSoundStore(victim);
  });

  it('layers of an old version that come when it is used', async () => {
    const trusting = await scene.other('trusting');
    const trap = await image([]);
    blob(await readFile(`${victim.folder}/blobs/sha256/${hexOf(base.digest)}`));
    for (const [layers, size, message] of [
      [[base, trap], 4 * MiB, /backing file: expected [0-9a-f]{64}, got none/],
      [[trap], 8 * MiB, /expected a disk of 8388608 bytes/],
    ] as const) {
      const { digest } = version(layers, { size });
      version([base], { parents: [digest] });
      const pulled = await trusting.remotes.pull(`${fake.host}/${REPOSITORY}:bad`, { registry, ref: null });
      assert.equal(pulled.promisedLayers, 1);
      const before = await treeOf(trusting.folder);
      await refused(trusting.versions.openDisk(digest), 'corrupt', message);
      await refused(trusting.envs.create(digest, { name: 'trapped' }), 'corrupt', message);
      assert.deepEqual(await treeOf(trusting.folder), before);
    }
  });
});

it('a message with control characters is taken for what it is', async () => {
  const message = '\u001b[2Jgone\u0007\r\n\u0000 "quoted" \u202e';
  const { digest } = version([await image([])], { message });
  const pulled = await victim.remotes.pull(`${fake.host}/${REPOSITORY}:bad`, { registry });
  assert.deepEqual([pulled.version.digest, pulled.version.message], [digest, message]);
  await assertSoundStore(victim);
});
