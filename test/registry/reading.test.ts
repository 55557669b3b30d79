import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { openFile } from '../../src/host/index.ts';
import { digestOf } from '../../src/oci/index.ts';
import { openRepository, type RegistryLimits, type TransferProgress } from '../../src/registry/index.ts';
import { refused } from '../support/refused.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fakeRegistry } from './fake-registry.ts';
import { type Fault, type FaultProxy, type FaultyRequest, faultProxy } from './fault-proxy.ts';
import { httpServer } from './http-server.ts';
import { randomBytes, testOptions } from './scene.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let files = 0;
const fresh = (): string => folder.join(`f${files++}`);

const bytes = randomBytes(600_000);
const blob = { digest: digestOf(bytes), size: bytes.length };
const registry = await fakeRegistry();
after(() => registry[Symbol.asyncDispose]());
registry.blobs.set(`a/b@${blob.digest}`, bytes);

interface Reading {
  readonly error: unknown;
  /** What lies in the file, and what the last step was. */
  readonly found: Buffer;
  readonly last: TransferProgress | undefined;
  readonly waits: readonly number[];
  readonly proxy: FaultProxy;
}

/** On a connection of its own, and on one that is kept. */
const WAYS = [
  { way: 'on a connection of its own', ownConnectionSize: 0 },
  { way: 'on a connection that is kept', ownConnectionSize: Number.POSITIVE_INFINITY },
];
let ownConnectionSize = 0;

/** Reads the blob through a proxy that lets the n-th request for it go wrong as the n-th fault says. */
async function readThrough(
  faults: readonly (Fault | undefined)[],
  { there, limits }: { there?: Buffer; limits?: Partial<RegistryLimits> } = {},
): Promise<Reading> {
  let asked = 0;
  const plan = (request: FaultyRequest): Fault | undefined =>
    request.path.includes('/blobs/') ? faults[asked++] : undefined;
  await using proxy = await faultProxy(registry.url, plan);
  const path = fresh();
  await writeFile(path, there ?? '');
  await using file = await openFile(path, { writable: true });
  const options = testOptions({ limits: { ownConnectionSize, ...limits } });
  await using repository = openRepository(`${proxy.host}/a/b`, options);
  let last: TransferProgress | undefined;
  let error: unknown;
  try {
    await repository.blobs.read(blob, file, { onProgress: (step) => (last = step) });
  } catch (caught) {
    error = caught;
  }
  const found = Buffer.alloc(file.stat().size);
  await file.read(found, 0);
  return { error, found, last, waits: options.waits, proxy };
}

function assertWhole({ error, found, last, proxy }: Reading, mostBytes = 1.2 * bytes.length): void {
  assert.equal(error, undefined);
  assert.ok(found.equals(bytes), 'the blob is whole');
  assert.equal(last?.done, bytes.length);
  assert.ok(proxy.sent() <= mostBytes, `${proxy.sent()} bytes were sent of ${bytes.length}`);
}

for (const each of WAYS)
  describe(`reading a blob ${each.way}`, () => {
    before(() => {
      ownConnectionSize = each.ownConnectionSize;
    });

    it('goes on where connections broke, by closed ranges', async () => {
      const reading = await readThrough([
        { cutAnswerAt: 200_000 },
        { cutAnswerAt: 100_000 },
        { cutAnswerAt: 0 },
      ]);
      assertWhole(reading);
      const [first, second, ...rest] = reading.proxy.requests.map(({ headers }) => headers.range);
      assert.equal(first, undefined);
      assert.match(second ?? '', /^bytes=\d+-599999$/);
      assert.equal(rest.length, 2);
      assert.equal(reading.last?.moved, bytes.length);
      assert.equal(reading.waits.length, 3);
    });

    it('goes on from what another try has left', async () => {
      const reading = await readThrough([], { there: bytes.subarray(0, 500_000) });
      assertWhole(reading, 100_000);
      assert.deepEqual(reading.last, { done: blob.size, total: blob.size, moved: 100_000, there: 500_000 });
      assertWhole(await readThrough([], { there: bytes }), 0);
    });

    it('begins anew when what was left is not the beginning of it', async () => {
      const other = Buffer.from(bytes.subarray(0, 500_000));
      other[1234] = (other[1234] ?? 0) ^ 1;
      const reading = await readThrough([], { there: other });
      assertWhole(reading, 700_000);
      assertWhole(await readThrough([], { there: randomBytes(800_000, 2) }), 600_000);
    });

    it('goes on when a body ends early and its length was not told', async () => {
      // It is asked for once more where a connection of its own is of no use for that.
      const most = ownConnectionSize === 0 ? 2 * bytes.length : undefined;
      assertWhole(await readThrough([{ truncateAnswerAt: 200_000 }, { truncateAnswerAt: 200_000 }]), most);
    });

    it('goes on when nothing comes any more', async () => {
      const reading = await readThrough([{ stallAnswerAt: 200_000 }], { limits: { stallMs: 50 } });
      assertWhole(reading);
    });

    it('tries again after statuses that go away, and waits as long as it is asked to', async () => {
      const reading = await readThrough([
        { answer: { status: 429, headers: { 'retry-after': '7' } } },
        { answer: { status: 500 } },
        { answer: { status: 503, headers: { 'retry-after': new Date(Date.now() + 20_000).toUTCString() } } },
        { answer: { status: 408 } },
        { cutAnswerAt: 10_000 },
      ]);
      assertWhole(reading);
      const [first = 0, second = 0, third = 0, fourth = 0] = reading.waits;
      assert.equal(first, 7000);
      assert.ok(second >= 500 && second <= 1000, `${second}`);
      assert.ok(third > 15_000 && third <= 20_000, `${third}`);
      assert.ok(fourth >= 2000 && fourth <= 4000, `${fourth}`);
    });

    it('does not wait as long as somebody likes', async () => {
      const answer = {
        status: 429,
        headers: { 'retry-after': '3600' },
        body: '{"errors":[{"code":"TOOMANYREQUESTS"}]}',
      };
      const { error, waits } = await readThrough([{ answer }]);
      await refused(Promise.reject(error), 'io', /status 429 .*TOOMANYREQUESTS.*left alone for 3600 seconds/);
      assert.deepEqual(waits, []);
    });

    it('gives up when it gets no further, and leaves what came for another try', async () => {
      const faults = [
        { cutAnswerAt: 200_000 },
        { cutAnswerAt: 200_000 },
        ...Array.from({ length: 10 }, () => ({ cutAnswerAt: 0 })),
      ];
      const { error, found, waits, proxy } = await readThrough(faults, { limits: { retries: 3 } });
      await refused(Promise.reject(error), 'io', /ECONNRESET|aborted|hang up|closed \d+ bytes before/);
      assert.equal(waits.length, 4, 'what brought something does not count');
      assert.ok(found.length > 200_000 && found.equals(bytes.subarray(0, found.length)));
      const second = await readThrough([], { there: found });
      assertWhole(second);
      assert.ok(proxy.sent() + second.proxy.sent() <= 1.2 * bytes.length);
    });

    it('does without ranges where they are ignored, answered wrongly, or refused', async () => {
      const there = bytes.subarray(0, 200_000);
      assertWhole(await readThrough([{ forgetHeader: 'range' }], { there }));
      const wrong = [
        'bytes 0-599999/600000',
        'bytes 200001-599999/600000',
        'bytes 200000-599999/800000',
        'x',
      ];
      for (const range of wrong) {
        const reading = await readThrough([{ headers: { 'content-range': range } }], { there });
        assertWhole(reading, 1_200_000);
        assert.equal(reading.proxy.requests[1]?.headers.range, undefined);
      }
      assertWhole(await readThrough([{ answer: { status: 416 } }], { there }));
    });

    it('takes less than the range that was asked for', async () => {
      const there = bytes.subarray(0, 200_000);
      const part: Fault = {
        headers: { 'content-range': 'bytes 200000-399999/600000', 'content-length': '200000' },
        change: (body) => body.subarray(0, 200_000),
      };
      const reading = await readThrough([part], { there });
      assertWhole(reading);
      assert.deepEqual(reading.waits, [], 'that is no failure');
    });

    it('refuses other bytes, more bytes, fewer bytes', async () => {
      const flip = (body: Buffer): Buffer => {
        body[0] = (body[0] ?? 0) ^ 1;
        return body;
      };
      const wrong = await readThrough([{ change: flip }]);
      const error = await refused(
        Promise.reject(wrong.error),
        'changed',
        /the bytes that came hash to sha256:/,
      );
      assert.equal(error.data['digest'], blob.digest);
      assert.equal(wrong.found.length, 0);
      assertWhole(await readThrough([{ change: flip }], { there: bytes.subarray(0, 580_000) }), 620_000);

      const more = {
        change: (body: Buffer) => Buffer.concat([body, body]),
        headers: { 'content-length': undefined },
      };
      await refused(
        Promise.reject((await readThrough([more, more])).error),
        'changed',
        /expected 600000 bytes, got more/,
      );
      const fewer = { change: (body: Buffer) => body.subarray(1), headers: { 'content-length': '599999' } };
      await refused(
        Promise.reject((await readThrough([fewer])).error),
        'changed',
        /expected 600000 bytes, got 599999/,
      );
      const packed = { headers: { 'content-encoding': 'gzip' } };
      await refused(
        Promise.reject((await readThrough([packed])).error),
        'invalid',
        /as they are, got them in gzip/,
      );
    });

    it('ends when it is told to, and leaves what came', async () => {
      const ended = new AbortController();
      await using proxy = await faultProxy(registry.url, () => ({ stallAnswerAt: 300_000 }));
      await using repository = openRepository(
        `${proxy.host}/a/b`,
        testOptions({ limits: { ownConnectionSize } }),
      );
      await using file = await openFile(fresh(), { create: true });
      const reading = repository.blobs.read(blob, file, {
        signal: ended.signal,
        onProgress: ({ done }) => {
          if (done === 300_000) ended.abort();
        },
      });
      await refused(reading, 'aborted');
      assert.equal(file.stat().size, 300_000);
      await refused(repository.blobs.read(blob, file, { signal: AbortSignal.abort() }), 'aborted');
    });

    it('tells what is not there, and what the file cannot take', async () => {
      await using repository = openRepository(
        `${registry.host}/a/b`,
        testOptions({ limits: { ownConnectionSize } }),
      );
      await using file = await openFile(fresh(), { create: true });
      const missing = { digest: digestOf('no'), size: 2 };
      await refused(
        repository.blobs.read(missing, file),
        'not-found',
        /a\/b: blob sha256:\w+: got status 404 .*BLOB_UNKNOWN/,
      );
      await using full = await openFile(fresh(), { create: true });
      const target = {
        stat: () => full.stat(),
        read: (into: Uint8Array, offset: number) => full.read(into, offset),
        truncate: (size: number) => full.truncate(size),
        async write() {
          throw Object.assign(new Error('full'), { code: 'ENOSPC' });
        },
      };
      await assert.rejects(repository.blobs.read(blob, target), /full/);
      await repository.close();
      await refused(repository.blobs.read(blob, file), 'closed');
    });
  });

describe('a redirect', () => {
  it('leads to another host, which never sees who asks; an address that expired is asked for anew', async () => {
    const seen: (string | undefined)[] = [];
    let signed = 0;
    await using storage = await httpServer(async (request, response) => {
      seen.push(request.headers.authorization);
      const [, first] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
      // The first address breaks off, the second has expired.
      if (request.url === '/signed?key=2') {
        response.writeHead(403, { 'content-type': 'application/xml' }).end('<Error>expired</Error>');
      } else if (first === undefined) {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 400_000), () => response.socket?.end());
      } else {
        const range = `bytes ${first}-${bytes.length - 1}/${bytes.length}`;
        response.writeHead(206, { 'content-range': range }).end(bytes.subarray(Number(first)));
      }
    });
    await using front = await httpServer(async (request, response) => {
      assert.equal(request.headers.authorization, `Basic ${Buffer.from('ann:secret').toString('base64')}`);
      signed += 1;
      response.writeHead(307, { location: `${storage.url}/signed?key=${signed}` }).end();
    });
    // Credentials are sent from the beginning once they were asked for.
    let asked = false;
    await using door = await faultProxy(front.url, () => {
      if (asked) return undefined;
      asked = true;
      return { answer: { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } } };
    });
    const options = testOptions({
      credentials: { username: 'ann', password: 'secret' },
      limits: { ownConnectionSize },
    });
    await using repository = openRepository(`${door.host}/a/b`, options);
    await using file = await openFile(fresh(), { create: true });
    const { moved } = await repository.blobs.read(blob, file);
    assert.equal(moved, bytes.length);
    assert.deepEqual(seen, [undefined, undefined, undefined]);
    assert.equal(signed, 3);
  });

  it('in circles or to nowhere is refused', async () => {
    await using circle = await httpServer(async (_, response) => {
      response.writeHead(302, { location: '/v2/a/b/manifests/x' }).end();
    });
    await using repository = openRepository(
      `${circle.host}/a/b`,
      testOptions({ limits: { ownConnectionSize } }),
    );
    await refused(repository.manifests.get('x'), 'invalid', /at most 5 redirects/);
    for (const location of ['file:///etc/passwd', 'http://[', undefined]) {
      await using lost = await httpServer(async (_, response) => {
        response.writeHead(307, location === undefined ? {} : { location }).end();
      });
      await using other = openRepository(`${lost.host}/a/b`, testOptions({ limits: { ownConnectionSize } }));
      await refused(other.manifests.get('x'), 'invalid', /expected a Location/);
    }
  });

  it('that leads back does not bring the credentials along', async () => {
    const seen: string[] = [];
    await using front = await httpServer(async (request, response) => {
      seen.push(`${request.url} ${request.headers.authorization ?? 'nobody'}`);
      if (request.url === '/back') return void response.writeHead(200).end('{}');
      if (!request.headers.authorization) {
        return void response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      }
      response.writeHead(307, { location: `${away.url}/` }).end();
    });
    await using away = await httpServer(async (_, response) => {
      response.writeHead(307, { location: `${front.url}/back` }).end();
    });
    const options = testOptions({ credentials: { username: 'a', password: 'b' } });
    await using repository = openRepository(`${front.host}/a/b`, options);
    await refused(repository.manifests.get('x'), 'invalid', /media type/);
    assert.equal(seen.at(-1), '/back nobody');
  });
});
