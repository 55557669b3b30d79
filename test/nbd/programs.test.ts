import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sliceDisk } from '../../src/disk/index.ts';
import { allocationDepth, dirtyBitmap } from '../../src/nbd/index.ts';
import { denyBacking, followBacking, openQcow2 } from '../../src/qcow2/index.ts';
import { succeed } from '../support/programs.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../support/qemu.ts';
import { LONG } from '../support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { exported, type Served, serve } from './served.ts';

const SIZE = 16 * 2 ** 20;
/** Data, odd places, zeros of both kinds, holes. */
const CONTENT = [
  ...['write -P 17 0 200000', 'write -P 18 1234567 1000001', 'write -z 400k 300k', 'write -z -u 5M 1M'],
  ...['write -P 19 8M 2M', 'discard 9M 256k', 'write -P 20 16777000 216'],
];

/** An image over another one, as QEMU made them. */
async function makeChain(folder: TemporaryFolder): Promise<string> {
  const [base, path] = [folder.join('base.qcow2'), folder.join('top.qcow2')];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', base, String(SIZE)]);
  await qemuIo(base, ['write -P 3 600k 3M', 'write -P 4 12M 1M']);
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', path]);
  await qemuIo(path, CONTENT);
  return path;
}

async function serveImage(path: string, writable = false): Promise<Served> {
  return serve([
    exported(() => openQcow2(path, { writable, backing: followBacking() }), {
      description: 'a disk for others',
      readOnly: !writable,
      contexts: [allocationDepth],
    }),
  ]);
}

interface Stretch {
  readonly offset: number;
  readonly length: number;
  readonly kind: unknown;
}

/** Neighbours that are alike, as one. */
function merged(stretches: readonly Stretch[]): Stretch[] {
  const all: { offset: number; length: number; kind: unknown }[] = [];
  for (const each of stretches) {
    const last = all.at(-1);
    if (last && last.kind === each.kind) last.length += each.length;
    else all.push({ ...each });
  }
  return all;
}

test('nbdinfo tells size, what can be done, and where the data lie, as qemu-img does of the image', async () => {
  await using folder = await temporaryFolder();
  const path = await makeChain(folder);
  await using served = await serveImage(path);
  const info = JSON.parse(await succeed('nbdinfo', ['--json', served.uri]));
  const [first] = info.exports;
  assert.equal(info.protocol, 'newstyle-fixed');
  assert.equal(info.structured, true);
  assert.equal(first['export-size'], SIZE);
  assert.equal(first.is_read_only, true);
  assert.equal(first.can_multi_conn, true);
  assert.deepEqual(first.contexts, ['base:allocation', 'qemu:allocation-depth']);
  const sizes = ['minimum', 'preferred', 'maximum'].map((which) => first[`block_size_${which}`]);
  assert.deepEqual(sizes, [1, 4096, 32 * 2 ** 20]);
  const list = JSON.parse(await succeed('nbdinfo', ['--list', '--json', served.uri]));
  assert.equal(list.exports[0].description, 'a disk for others');

  const map: { offset: number; length: number; type: number }[] = JSON.parse(
    await succeed('nbdinfo', ['--map', '--json', served.uri]),
  );
  const found = map.map(({ offset, length, type }) => ({ offset, length, kind: type === 0 }));
  assert.deepEqual(merged(found), merged(await qemuMap(['-f', 'qcow2', path], ({ zero }) => !zero)));
  const depths: typeof map = JSON.parse(
    await succeed('nbdinfo', ['--map=qemu:allocation-depth', '--json', served.uri]),
  );
  const depth = depths.map(({ offset, length, type }) => ({ offset, length, kind: type }));
  const present = await qemuMap(['-f', 'qcow2', path], (each) => (each.present ? each.depth + 1 : 0));
  assert.deepEqual(merged(depth), merged(present));
});

interface Mapped {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
}

async function qemuMap(args: readonly string[], kind: (each: Mapped) => unknown): Promise<Stretch[]> {
  const map: Mapped[] = JSON.parse(await succeed('qemu-img', ['map', '--output', 'json', ...args]));
  return map.map((each) => ({ offset: each.start, length: each.length, kind: kind(each) }));
}

test('qemu-img tells, maps, compares and copies what is served', async () => {
  await using folder = await temporaryFolder();
  const path = await makeChain(folder);
  await using served = await serveImage(path);
  const info = JSON.parse(await succeed('qemu-img', ['info', '--output', 'json', served.uri]));
  assert.equal(info['virtual-size'], SIZE);
  await qemuImgCompare(path, 'qcow2', served.uri, 'raw');
  assert.deepEqual(
    merged(await qemuMap(['-f', 'raw', served.uri], ({ zero }) => zero)),
    merged(await qemuMap(['-f', 'qcow2', path], ({ zero }) => zero)),
  );
  const copy = folder.join('copy.qcow2');
  await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-m', '8', '-W', served.uri, copy]);
  await qemuImgCompare(path, 'qcow2', copy, 'qcow2');
});

test('qemu-img and nbdcopy write what is served, each in its ways', async () => {
  await using folder = await temporaryFolder();
  const path = await makeChain(folder);
  const raw = folder.join('raw');
  await succeed('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', path, raw]);
  const ways: readonly (readonly ['qemu-img' | 'nbdcopy', (uri: string) => string[]])[] = [
    ['qemu-img', (uri) => ['convert', '-n', '-f', 'raw', '-O', 'raw', raw, uri]],
    [
      'qemu-img',
      (uri) => ['convert', '-n', '-f', 'qcow2', '-O', 'raw', '-m', '16', '-W', '-S', '0', path, uri],
    ],
    ['nbdcopy', (uri) => ['--flush', raw, uri]],
    ['nbdcopy', (uri) => ['--allocated', '--connections=1', '--requests=1', raw, uri]],
    ['nbdcopy', (uri) => ['--no-extents', '--synchronous', '--request-size=1048576', raw, uri]],
  ];
  for (const [program, args] of LONG ? ways : ways.slice(1, 4)) {
    const target = folder.join('target.qcow2');
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', target, String(SIZE)]);
    await qemuIo(target, ['write -P 99 0 16M']);
    {
      await using served = await serveImage(target, true);
      await succeed(program, args(served.uri));
      assert.deepEqual(served.errors, []);
    }
    await qemuImgCheck(target);
    await qemuImgCompare(raw, 'raw', target, 'qcow2');
  }
});

test('nbdcopy reads what is served, each in its ways', async () => {
  await using folder = await temporaryFolder();
  const path = await makeChain(folder);
  await using served = await serveImage(path);
  const ways = [
    [],
    ['--allocated', '--connections=1', '--requests=1'],
    ['--no-extents', '--synchronous', '--request-size=65536'],
    ['--threads=2', '--connections=8', '--requests=128', '--sparse=512'],
    ['--request-size=33554432', '--no-extents'],
  ];
  for (const options of LONG ? ways : ways.slice(0, 3)) {
    const copy = folder.join('copy.raw');
    await succeed('nbdcopy', [...options, served.uri, copy]);
    await qemuImgCompare(path, 'qcow2', copy, 'raw');
  }
  assert.deepEqual(served.errors, []);
});

test('qemu-io reads and writes odd places, with every flag that it has', async () => {
  await using folder = await temporaryFolder();
  const path = await makeChain(folder);
  {
    await using served = await serveImage(path, true);
    await qemuIo(
      served.uri,
      [
        ...[
          'write -P 51 1 1',
          'write -P 52 65535 2',
          'write -f -P 53 3000001 4000003',
          'write -z 3500001 77777',
        ],
        ...[
          'write -z -f 7000001 511',
          'write -z -u 8M 1M',
          'discard 10M 1M',
          'writev -P 54 11M 512 1k 3',
          'flush',
        ],
        ...['aio_write -P 55 12M 64k', 'aio_write -P 56 12352k 64k', 'aio_read -P 53 4M 1k', 'aio_flush'],
        ...['read -P 51 1 1', 'read -P 17 2 65533', 'read -P 52 65535 2', 'read -P 53 3000001 500000'],
        ...['read -P 0 3500001 77777', 'read -P 53 3577778 3000000', 'read -P 0 8M 1M', 'read -P 54 11M 512'],
        ...['read -P 55 12M 64k', 'read -P 56 12352k 64k', 'read -P 20 16777000 216', 'read -v 16777215 1'],
      ],
      'raw',
    );
    assert.deepEqual(served.errors, []);
  }
  await qemuImgCheck(path);
  await qemuIo(path, ['read -P 51 1 1', 'read -P 53 4M 1M', 'read -P 0 8M 1M', 'read -P 56 12352k 64k']);
});

test('qemu-img reads dirty bitmaps and depths as contexts', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('bitmap.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(SIZE)]);
  await qemuIo(path, ['write -P 1 0 1M']);
  await succeed('qemu-img', ['bitmap', '--add', '-g', '64k', path, 'since']);
  await qemuIo(path, ['write -P 2 2M 100', 'write -P 3 5M 1M']);
  await using disk = await openQcow2(path, { backing: denyBacking });
  const contexts = [allocationDepth, dirtyBitmap(disk, 'since')];
  await using served = await serve([
    exported(async () => sliceDisk(disk, 0, SIZE, { leaveOpen: true }), { readOnly: true, contexts }),
  ]);
  const named = `driver=nbd,server.type=unix,server.path=${served.path},x-dirty-bitmap`;
  // QEMU tells such a context as if it were the allocation: what is dirty counts as a hole.
  const dirty = await qemuMap(['--image-opts', `${named}=qemu:dirty-bitmap:since`], ({ data }) => !data);
  const K = 1024;
  assert.deepEqual(
    merged(dirty)
      .filter(({ kind }) => kind)
      .map(({ offset, length }) => [offset / K, length / K]),
    [
      [2048, 64],
      [5120, 1024],
    ],
  );
  const map = await succeed('nbdinfo', ['--map=qemu:dirty-bitmap:since', served.uri]);
  assert.deepEqual(
    map.split('\n').flatMap((line) => (/^\s*(\d+)\s+(\d+)\s+1\b/.exec(line) ?? []).slice(1).map(Number)),
    [2048 * K, 64 * K, 5120 * K, 1024 * K],
  );
});

/** Odd requests through libnbd, its own checks switched off. Each line that prints must print what is expected. */
const ODD = `
import os
def code(work):
    try:
        work()
        return "ok"
    except nbd.Error as error:
        return error.errno
def connected(structured=True, contexts=True):
    one = nbd.NBD()
    one.set_strict_mode(0)
    one.set_request_structured_replies(structured)
    if contexts: one.add_meta_context("base:allocation")
    one.connect_uri(os.environ["URI"])
    return one
size = 16 * 2 ** 20
for structured in (True, False):
    h = connected(structured)
    print(h.get_structured_replies_negotiated(), h.can_meta_context("base:allocation"), h.can_df())
    print(code(lambda: h.pread(1, size)), code(lambda: h.pread(2, size - 1)), code(lambda: h.pwrite(b"xx", size - 1)))
    print(code(lambda: h.zero(size, 1)), code(lambda: h.trim(size, 1)), code(lambda: h.cache(size, 1)))
    print(code(lambda: h.pread(0, 0)), code(lambda: h.pwrite(b"", 0)), code(lambda: h.zero(0, 0)), code(lambda: h.trim(0, 0)))
    print(code(lambda: h.pread(512, 0, nbd.CMD_FLAG_DF)), code(lambda: h.pread(8 * 2 ** 20, 0, nbd.CMD_FLAG_DF)))
    print(code(lambda: h.flush(nbd.CMD_FLAG_DF)), code(lambda: h.trim(512, 0, nbd.CMD_FLAG_REQ_ONE)), code(lambda: h.zero(512, 0, 0x40)))
    print(code(lambda: h.zero(65536, 0, nbd.CMD_FLAG_FAST_ZERO)), code(lambda: h.zero(65536, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE)))
    print(code(lambda: h.pwrite(b"x" * 2 ** 20, 3, nbd.CMD_FLAG_FUA)), bytes(h.pread(5, 2)))
    seen = []
    print(code(lambda: h.block_status(size, 0, lambda c, o, e, err: seen.extend(e), nbd.CMD_FLAG_REQ_ONE)), len(seen))
    print(code(lambda: h.block_status(0, 0, lambda c, o, e, err: 0)), code(lambda: h.block_status(1, size, lambda c, o, e, err: 0)))
    print(bytes(h.pread(3, 100)))
    buffers = [nbd.Buffer(4096) for _ in range(500)]
    cookies = [h.aio_pread(buffer, 4096 * at) for at, buffer in enumerate(buffers)]
    while h.aio_in_flight() > 0: h.poll(-1)
    print(all(h.aio_command_completed(cookie) for cookie in cookies))
    h.shutdown()
# Several connections are one disk; those that vanish leave the others alone.
one, two = connected(), connected()
for count in range(10):
    gone = connected(count % 2 == 0)
    for at in range(9): gone.aio_pread(nbd.Buffer(2 ** 20), 0)
    gone.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(2 ** 20)), 2 ** 20)
    del gone
one.pwrite(b"one", 7)
two.flush()
print(bytes(two.pread(3, 7)), one.can_multi_conn())
# A server that has just lost clients takes new ones.
print(connected(False, False).get_size())
`;

test('libnbd makes odd requests, its own checks switched off', async () => {
  await using folder = await temporaryFolder();
  const path = await makeChain(folder);
  {
    await using served = await serveImage(path, true);
    const printed = await succeed('nbdsh', ['-c', ODD], {
      // Its Python is the system's, whatever other one there is.
      env: { URI: served.uri, PATH: '/usr/bin:/bin' },
      timeout: 60_000,
    });
    const lines = (structured: boolean): string[] => [
      structured ? 'True True True' : 'False False False',
      `EINVAL EINVAL ENOSPC`,
      `ENOSPC EINVAL EINVAL`,
      'ok ok ok ok',
      structured ? 'ok ok' : `EINVAL EINVAL`,
      `EINVAL EINVAL EINVAL`,
      `ok ENOTSUP`,
      "ok b'\\x00xxxx'",
      structured ? 'ok 2' : 'EINVAL 0',
      'EINVAL EINVAL',
      "b'xxx'",
      'True',
    ];
    assert.deepEqual(printed.trimEnd().split('\n'), [
      ...lines(true),
      ...lines(false),
      "b'one' True",
      String(SIZE),
    ]);
  }
  await qemuImgCheck(path);
});
