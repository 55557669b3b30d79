import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { digestOf } from '../../src/oci/index.ts';
import {
  blobSourceOfBytes,
  openRepository,
  type RegistryOptions,
  type TransferProgress,
  type Uploaded,
  type UploadOptions,
  type UploadState,
} from '../../src/registry/index.ts';
import { refused } from '../support/refused.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type FakeRegistry, fakeRegistry } from './fake-registry.ts';
import { type Fault, type FaultProxy, type FaultyRequest, faultProxy } from './fault-proxy.ts';
import { blobInFile, randomBytes, testOptions } from './scene.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const CHUNK = 50_000;
const blob = await blobInFile(folder.join('blob'), randomBytes(400_000));
after(() => blob[Symbol.asyncDispose]());

interface Writing {
  readonly uploaded: Uploaded | undefined;
  readonly error: unknown;
  readonly state: UploadState | undefined;
  readonly last: TransferProgress | undefined;
  readonly waits: readonly number[];
  readonly proxy: FaultProxy;
}

/** Sends the blob through a proxy that lets the n-th request of a method go wrong as the n-th fault says. */
async function writeThrough(
  registry: FakeRegistry,
  faults: Readonly<Record<string, readonly (Fault | undefined)[]>>,
  upload: UploadOptions = {},
  limits: RegistryOptions['limits'] = {},
): Promise<Writing> {
  const asked = new Map<string, number>();
  const plan = ({ method }: FaultyRequest): Fault | undefined => {
    const count = asked.get(method) ?? 0;
    asked.set(method, count + 1);
    return faults[method]?.[count];
  };
  await using proxy = await faultProxy(registry.url, plan);
  const options = testOptions({ limits: { chunkSize: CHUNK, ...limits } });
  await using repository = openRepository(`${proxy.host}/a/b`, options);
  let [state, last, uploaded, error]: [UploadState?, TransferProgress?, Uploaded?, unknown?] = [];
  try {
    uploaded = await repository.blobs.upload(blob.source, {
      onState: (told) => {
        state = told;
      },
      onProgress: (step) => (last = step),
      ...upload,
    });
  } catch (caught) {
    error = caught;
  }
  return { uploaded, error, state, last, waits: options.waits, proxy };
}

function assertSent(
  registry: FakeRegistry,
  { uploaded, error, state, last, proxy }: Writing,
  mostBytes = 1.2 * blob.size,
): void {
  assert.equal(error, undefined);
  assert.equal(uploaded?.by, 'upload');
  assert.ok(registry.blobs.get(`a/b@${blob.digest}`)?.equals(blob.bytes), 'the blob is whole');
  assert.equal(state, undefined);
  assert.equal(last?.done, blob.size);
  assert.ok(proxy.received() <= mostBytes, `${proxy.received()} bytes were sent of ${blob.size}`);
  assert.equal(registry.uploads.size, 0, 'no upload is left');
}

/** What was kept, for who speaks to the registry itself: the proxy has gone. */
function moved(state: UploadState, registry: FakeRegistry): UploadState {
  return { ...state, location: state.location.replace(/127\.0\.0\.1:\d+/, registry.host) };
}

describe('sending a blob', () => {
  it('goes on where the connection broke, whether the registry kept the broken piece or not', async () => {
    for (const forgetsParts of [false, true]) {
      await using registry = await fakeRegistry({ forgetsParts });
      const writing = await writeThrough(registry, {
        PATCH: [undefined, { cutRequestAt: 20_000 }, undefined, { cutRequestAt: 0 }],
      });
      assertSent(registry, writing);
      assert.equal(writing.waits.length, 2);
      assert.equal(registry.requests.filter((each) => each.startsWith('POST')).length, 1);
    }
  });

  it('goes on when an answer was lost', async () => {
    await using registry = await fakeRegistry();
    assertSent(
      registry,
      await writeThrough(registry, { PATCH: [{ loseAnswer: true }, undefined, { loseAnswer: true }] }),
    );
    await using another = await fakeRegistry();
    const ended = await writeThrough(another, { PUT: [{ loseAnswer: true }] });
    assert.equal(ended.error, undefined);
    assert.equal(ended.uploaded?.by, 'there', 'the end had arrived');
    assert.ok(ended.proxy.received() <= 1.2 * blob.size);
    await using third = await fakeRegistry();
    assertSent(
      third,
      await writeThrough(third, { POST: [{ loseAnswer: true }] }).finally(() => third.uploads.clear()),
    );
  });

  it('goes on when the registry stalls, refuses for a while, or cannot be asked how far it is at first', async () => {
    await using registry = await fakeRegistry();
    const writing = await writeThrough(
      registry,
      {
        HEAD: [{ answer: { status: 502 } }],
        POST: [{ answer: { status: 429, headers: { 'retry-after': '3' } } }],
        PATCH: [{ stallRequestAt: 1000 }, { answer: { status: 500 } }, { answer: { status: 503 } }],
        GET: [{ answer: { status: 504 } }, { cutAnswerAt: 0 }],
        PUT: [{ answer: { status: 500 } }],
      },
      {},
      { stallMs: 100, answerMs: 100, retries: 8 },
    );
    assertSent(registry, writing);
    assert.equal(writing.waits[1], 3000);
  });

  it('takes the word of a registry that has kept less than it was sent', async () => {
    await using registry = await fakeRegistry();
    const behind: Fault = { headers: { range: '0-19999' } };
    // The fake registry has all of it: told of fewer bytes, this side is out of step, and asks.
    const writing = await writeThrough(registry, { PATCH: [behind] });
    assertSent(registry, writing);
    const patches = registry.requests
      .filter((each) => each.startsWith('PATCH'))
      .map((each) => each.split(' ')[2]);
    assert.deepEqual(patches.slice(0, 3), ['0-49999', '20000-69999', '50000-99999']);
  });

  it('asks when a registry tells what cannot be, and gives up when it gets no further', async () => {
    for (const range of ['0-9999999', 'nothing', '0-0']) {
      await using registry = await fakeRegistry();
      assertSent(registry, await writeThrough(registry, { PATCH: [{ headers: { range } }] }));
    }
    await using registry = await fakeRegistry({ forgetsParts: true });
    const cut = { cutRequestAt: 1000 };
    const faults = { PATCH: [undefined, cut, cut, cut, cut, cut] };
    const { error, waits, state } = await writeThrough(registry, faults, {}, { retries: 3 });
    await refused(Promise.reject(error), 'io');
    assert.equal(waits.length, 3);
    assert.equal(state?.offset, CHUNK);
    const again = await writeThrough(registry, {}, { state: moved(state, registry) });
    assertSent(registry, again, blob.size - CHUNK);
    await using other = await fakeRegistry();
    assertSent(other, await writeThrough(other, {}, { state }));
  });

  it('begins anew when the registry has forgotten the upload, and not for ever', async () => {
    await using registry = await fakeRegistry();
    const gone: Fault = { answer: { status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' } };
    const writing = await writeThrough(registry, { PATCH: [undefined, gone], GET: [gone] }).finally(() =>
      registry.uploads.clear(),
    );
    assertSent(registry, writing, blob.size + CHUNK);
    assert.equal(registry.requests.filter((each) => each.startsWith('POST')).length, 2);

    await using forgetful = await fakeRegistry();
    const never = {
      PATCH: Array.from({ length: 99 }, () => gone),
      GET: Array.from({ length: 99 }, () => gone),
    };
    const { error, waits } = await writeThrough(forgetful, never, {}, { retries: 4 });
    await refused(Promise.reject(error), 'not-found', /BLOB_UPLOAD_UNKNOWN/);
    assert.equal(waits.length, 4);
  });

  it('sends it in one request where a registry takes no pieces, and remembers that', async () => {
    for (const status of [400, 404, 405, 413, 416, 501]) {
      await using registry = await fakeRegistry({ refusesPiecesBy: status, relative: true });
      const options = testOptions({ limits: { chunkSize: CHUNK } });
      await using repository = openRepository(`${registry.host}/a/b`, options);
      const other = randomBytes(120_000, 2);
      for (const source of [blob.source, blobSourceOfBytes(other, digestOf(other))]) {
        assert.equal((await repository.blobs.upload(source)).by, 'upload');
      }
      assert.ok(registry.blobs.get(`a/b@${blob.digest}`)?.equals(blob.bytes));
      assert.equal(registry.requests.filter((each) => each.startsWith('PATCH')).length, 1);
      assert.equal(registry.uploads.size, 0, 'the first one was cancelled');
      assert.deepEqual(options.waits, []);
    }
  });

  it('sends pieces as large as the registry wants them, and small blobs at once', async () => {
    await using registry = await fakeRegistry({ smallestChunk: 140_000 });
    assertSent(registry, await writeThrough(registry, {}));
    const patches = registry.requests
      .filter((each) => each.startsWith('PATCH'))
      .map((each) => each.split(' ')[2]);
    assert.deepEqual(patches, ['0-139999', '140000-279999', '280000-399999']);
    await using other = await fakeRegistry();
    await writeThrough(other, {}, {}, { chunkSize: blob.size });
    assert.deepEqual(
      other.requests.map((each) => each.split(' ')[0]),
      ['HEAD', 'POST', 'PUT'],
    );
  });

  it('tries the one request again from the beginning', async () => {
    await using registry = await fakeRegistry({ refusesPiecesBy: 405 });
    const writing = await writeThrough(registry, { PUT: [{ cutRequestAt: 60_000 }] }).finally(() =>
      registry.uploads.clear(),
    );
    assertSent(registry, writing, blob.size + 60_000 + CHUNK);
  });

  it('is for nothing where the blob can be had from another repository; one that is closed does not matter', async () => {
    await using registry = await fakeRegistry({ closed: ['secret/one'] });
    registry.blobs.set(`other/one@${blob.digest}`, blob.bytes);
    registry.blobs.set(`secret/one@${blob.digest}`, blob.bytes);
    const mounted = await writeThrough(registry, {}, { mountFrom: 'other/one' });
    assert.deepEqual(mounted.uploaded, { by: 'mount', moved: 0 });
    assert.deepEqual(mounted.last, { done: blob.size, total: blob.size, moved: 0, there: blob.size });
    registry.blobs.delete(`a/b@${blob.digest}`);
    assertSent(registry, await writeThrough(registry, {}, { mountFrom: 'secret/one' }));
  });

  it('ends when it is told to, and can be gone on with by another process', async () => {
    await using registry = await fakeRegistry();
    const ended = new AbortController();
    let kept: UploadState | undefined;
    const first = await writeThrough(
      registry,
      {},
      {
        signal: ended.signal,
        onState: (state) => {
          kept = state;
          if (state?.offset === 4 * CHUNK) ended.abort();
        },
      },
    );
    await refused(Promise.reject(first.error), 'aborted');
    assert.ok(kept);
    const state = moved(kept, registry);
    await using repository = openRepository(
      `${registry.host}/a/b`,
      testOptions({ limits: { chunkSize: CHUNK } }),
    );
    const uploaded = await repository.blobs.upload(blob.source, { state });
    assert.equal(uploaded.moved, 4 * CHUNK);
    await refused(
      repository.blobs.upload(blobSourceOfBytes(Buffer.from('x'), digestOf('x')), {
        state: { location: 'file:///etc' } as unknown as UploadState,
      }),
      'invalid',
      /state of an upload/,
    );
  });

  it('tells what is wrong with the source', async () => {
    await using registry = await fakeRegistry();
    const options = testOptions();
    await using repository = openRepository(`${registry.host}/a/b`, options);
    const wrong = { ...blob.source, digest: digestOf('other') };
    await refused(
      repository.blobs.upload(wrong),
      'changed',
      /blob sha256:\w+: sending it: got status 400 .*DIGEST_INVALID/,
    );
    const long = { ...blob.source, size: blob.size + 1, digest: digestOf('long') };
    await refused(
      repository.blobs.upload(long),
      'changed',
      /blob: expected 400000 bytes|expected 400001 bytes/,
    );
    const short = {
      digest: digestOf('short'),
      size: 10,
      async *read() {
        yield Buffer.alloc(4);
      },
    };
    await refused(repository.blobs.upload(short), 'changed', /expected 10 bytes to send, got 4/);
    const fault = new Error('the disk failed');
    const failing = {
      digest: digestOf('failing'),
      size: 10,
      // biome-ignore lint/correctness/useYield: it fails before
      async *read(): AsyncGenerator<Uint8Array> {
        throw fault;
      },
    };
    const caught: unknown = await repository.blobs.upload(failing).catch((error: unknown) => error);
    assert.equal(caught, fault);
    assert.deepEqual(options.waits, [], 'another try makes no sense');
  });

  it('tells a blob that is too large', async () => {
    await using registry = await fakeRegistry();
    const large = { answer: { status: 413 } };
    const { error } = await writeThrough(registry, { PATCH: [large], PUT: [large] });
    const told = await refused(Promise.reject(error), 'out-of-range', /status 413/);
    assert.match(told.hint ?? '', /takes no blob of this size/);
  });

  it('goes for many blobs at a time', async () => {
    await using registry = await fakeRegistry();
    await using repository = openRepository(
      `${registry.host}/a/b`,
      testOptions({ limits: { chunkSize: 10_000 } }),
    );
    const many = Array.from({ length: 16 }, (_, index) => randomBytes(50_000, index + 10));
    await Promise.all(
      many.map((bytes) => repository.blobs.upload(blobSourceOfBytes(bytes, digestOf(bytes)))),
    );
    const read = await Promise.all(
      many.map((bytes) => repository.blobs.bytes({ digest: digestOf(bytes), size: bytes.length })),
    );
    assert.ok(read.every((bytes, index) => many[index]?.equals(bytes)));
  });
});
