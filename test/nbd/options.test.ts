import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../../src/disk/index.ts';
import { CalveError } from '../../src/errors/index.ts';
import { allocationDepth, type NbdExport } from '../../src/nbd/index.ts';
import { exported, type Served, serve } from './served.ts';
import { CMD, contextData, ERR, infoData, type Mode, OPT, REP, text, u16, u32, u64, Wire } from './wire.ts';

const SIZE = 1_000_001;
const nothing = Buffer.alloc(0);
const MULTI_CONN = 0x100;
/** HAS_FLAGS, SEND_FLUSH, SEND_FUA, CAN_MULTI_CONN, SEND_CACHE. */
const READ_ONLY = 0x1 | 0x2 | 0x4 | 0x8 | MULTI_CONN | 0x400;
/** And SEND_TRIM, SEND_WRITE_ZEROES, SEND_FAST_ZERO, but not READ_ONLY. */
const WRITABLE = (READ_ONLY & ~0x2) | 0x20 | 0x40 | 0x800;
const DF = 0x80;
const STATUS_PAYLOAD = 0x1000;

const disk = async (): Promise<MemoryDisk> => new MemoryDisk(SIZE);
const EXPORTS: readonly NbdExport[] = [
  exported(disk, { name: 'first', description: 'a disk', contexts: [allocationDepth] }),
  exported(disk, { name: 'ruhig/größe', description: '', readOnly: true }),
  exported(disk, { name: 'alone', maxClients: 1 }),
  exported(
    async () => {
      throw new CalveError('corrupt', '/secret/path is broken');
    },
    { name: 'broken' },
  ),
];

async function scene(): Promise<Served> {
  return serve(EXPORTS, { limits: { handshakeMs: 5000 } });
}

/** Kinds of the replies to each option of a table; after each the connection goes on. */
const CASES: readonly (readonly [
  what: string,
  mode: Mode,
  option: number,
  data: Uint8Array,
  replies: readonly number[],
])[] = [
  ['an unknown option', 'simple', 99, nothing, [REP.ERR_UNSUP]],
  ['a withdrawn one, with data', 'simple', OPT.PEEK_EXPORT, Buffer.alloc(5000), [REP.ERR_UNSUP]],
  ['the highest number', 'extended', 0xffffffff, Buffer.alloc(1), [REP.ERR_UNSUP]],
  ['one with too much data', 'simple', 99, Buffer.alloc(70_000), [REP.ERR_TOO_BIG]],
  ['LIST', 'simple', OPT.LIST, nothing, [REP.SERVER, REP.SERVER, REP.SERVER, REP.SERVER, REP.ACK]],
  ['LIST with data', 'simple', OPT.LIST, Buffer.alloc(1), [REP.ERR_INVALID]],
  ['STARTTLS without TLS', 'simple', OPT.STARTTLS, nothing, [REP.ERR_POLICY]],
  ['STARTTLS with data', 'simple', OPT.STARTTLS, Buffer.alloc(3), [REP.ERR_INVALID]],
  ['INFO', 'simple', OPT.INFO, infoData('first'), [REP.INFO, REP.ACK]],
  ['INFO of the one without a name', 'simple', OPT.INFO, infoData(''), [REP.INFO, REP.ACK]],
  ['INFO of another', 'simple', OPT.INFO, infoData('ruhig/größe'), [REP.INFO, REP.ACK]],
  ['INFO, all', 'simple', OPT.INFO, infoData('first', 0, 1, 2, 3), Array(4).fill(REP.INFO).concat(REP.ACK)],
  ['INFO, unknown wishes', 'simple', OPT.INFO, infoData('first', 77, 65_535), [REP.INFO, REP.ACK]],
  ['INFO of none', 'simple', OPT.INFO, infoData('nope'), [REP.ERR_UNKNOWN]],
  ['INFO of one that is broken', 'simple', OPT.INFO, infoData('broken'), [REP.ERR_UNKNOWN]],
  ['INFO without data', 'simple', OPT.INFO, nothing, [REP.ERR_INVALID]],
  [
    'INFO, name past the end',
    'simple',
    OPT.INFO,
    Buffer.concat([u32(9), Buffer.from('first')]),
    [REP.ERR_INVALID],
  ],
  ['INFO, name of 4 GiB', 'simple', OPT.INFO, u32(0xffffffff), [REP.ERR_INVALID]],
  [
    'INFO, wishes past the end',
    'simple',
    OPT.INFO,
    Buffer.concat([text('first'), u16(2), u16(0)]),
    [REP.ERR_INVALID],
  ],
  ['INFO, more behind it', 'simple', OPT.INFO, Buffer.concat([infoData('first'), u16(0)]), [REP.ERR_INVALID]],
  ['INFO, name with a NUL', 'simple', OPT.INFO, infoData('fir\0st'), [REP.ERR_INVALID]],
  ['INFO, name of 4097 bytes', 'simple', OPT.INFO, infoData('x'.repeat(4097)), [REP.ERR_INVALID]],
  ['INFO, name of 4096 bytes', 'simple', OPT.INFO, infoData('x'.repeat(4096)), [REP.ERR_UNKNOWN]],
  ['GO to none', 'simple', OPT.GO, infoData('nope'), [REP.ERR_UNKNOWN]],
  ['GO to one that is broken', 'simple', OPT.GO, infoData('broken'), [REP.ERR_UNKNOWN]],
  ['GO, broken off', 'simple', OPT.GO, text('first'), [REP.ERR_INVALID]],
  ['STRUCTURED_REPLY with data', 'simple', OPT.STRUCTURED_REPLY, Buffer.alloc(1), [REP.ERR_INVALID]],
  ['STRUCTURED_REPLY again', 'structured', OPT.STRUCTURED_REPLY, nothing, [REP.ACK]],
  [
    'STRUCTURED_REPLY after EXTENDED_HEADERS',
    'extended',
    OPT.STRUCTURED_REPLY,
    nothing,
    [REP.ERR_EXT_HEADER_REQD],
  ],
  ['EXTENDED_HEADERS with data', 'simple', OPT.EXTENDED_HEADERS, Buffer.alloc(1), [REP.ERR_INVALID]],
  ['EXTENDED_HEADERS after STRUCTURED_REPLY', 'structured', OPT.EXTENDED_HEADERS, nothing, [REP.ACK]],
  ['EXTENDED_HEADERS again', 'extended', OPT.EXTENDED_HEADERS, nothing, [REP.ERR_INVALID]],
  ['contexts listed too early', 'simple', OPT.LIST_META_CONTEXT, contextData('first'), [REP.ERR_INVALID]],
  [
    'contexts set too early',
    'simple',
    OPT.SET_META_CONTEXT,
    contextData('first', 'base:allocation'),
    [REP.ERR_INVALID],
  ],
  [
    'all contexts',
    'structured',
    OPT.LIST_META_CONTEXT,
    contextData('first'),
    [REP.META_CONTEXT, REP.META_CONTEXT, REP.ACK],
  ],
  [
    'those of base',
    'structured',
    OPT.LIST_META_CONTEXT,
    contextData('first', 'base:'),
    [REP.META_CONTEXT, REP.ACK],
  ],
  [
    'those of qemu',
    'extended',
    OPT.LIST_META_CONTEXT,
    contextData('first', 'qemu:'),
    [REP.META_CONTEXT, REP.ACK],
  ],
  [
    'one, asked for twice',
    'structured',
    OPT.LIST_META_CONTEXT,
    contextData('first', 'base:allocation', 'base:'),
    [REP.META_CONTEXT, REP.ACK],
  ],
  [
    'those of others',
    'structured',
    OPT.LIST_META_CONTEXT,
    contextData('first', 'x-other:', 'base', '', ':'),
    [REP.ACK],
  ],
  ['contexts of none', 'structured', OPT.LIST_META_CONTEXT, contextData('nope'), [REP.ERR_UNKNOWN]],
  [
    'a query past the end',
    'structured',
    OPT.LIST_META_CONTEXT,
    Buffer.concat([text('first'), u32(1), u32(9)]),
    [REP.ERR_INVALID],
  ],
  [
    'queries past the end',
    'structured',
    OPT.LIST_META_CONTEXT,
    Buffer.concat([text('first'), u32(0xffffffff)]),
    [REP.ERR_INVALID],
  ],
  [
    'more behind the queries',
    'structured',
    OPT.SET_META_CONTEXT,
    Buffer.concat([contextData('first'), u32(0)]),
    [REP.ERR_INVALID],
  ],
  ['no context', 'structured', OPT.SET_META_CONTEXT, contextData('first'), [REP.ACK]],
  [
    'a context',
    'structured',
    OPT.SET_META_CONTEXT,
    contextData('first', 'base:allocation'),
    [REP.META_CONTEXT, REP.ACK],
  ],
  [
    'two contexts',
    'extended',
    OPT.SET_META_CONTEXT,
    contextData('', 'qemu:allocation-depth', 'base:allocation'),
    [REP.META_CONTEXT, REP.META_CONTEXT, REP.ACK],
  ],
  [
    'what only lists',
    'structured',
    OPT.SET_META_CONTEXT,
    contextData('first', 'base:', 'qemu:', 'base:all'),
    [REP.ACK],
  ],
  [
    'one that another export has',
    'structured',
    OPT.SET_META_CONTEXT,
    contextData('alone', 'qemu:allocation-depth'),
    [REP.ACK],
  ],
  [
    'contexts set of none',
    'structured',
    OPT.SET_META_CONTEXT,
    contextData('nope', 'base:allocation'),
    [REP.ERR_UNKNOWN],
  ],
];

test('each option, right or wrong, has its reply, and the negotiation goes on', async () => {
  await using served = await scene();
  for (const [what, mode, option, data, replies] of CASES) {
    await using wire = await Wire.open(served.path);
    await wire.agree(mode);
    const found = await wire.option(option, data);
    assert.deepEqual(
      found.map(({ type }) => type),
      replies,
      what,
    );
    assert.equal((await wire.option(OPT.INFO, infoData('first'))).length, 2, `${what}: and then INFO`);
    await wire.option(OPT.GO, infoData('first'));
    if (option !== OPT.EXTENDED_HEADERS || mode !== 'structured') {
      assert.equal(
        (await wire.command({ command: CMD.READ, length: 3 })).data.length,
        3,
        `${what}: and then a read`,
      );
    }
  }
});

test('LIST names each export, for people too; what is broken does not tell of paths', async () => {
  await using served = await scene();
  await using wire = await Wire.open(served.path);
  const replies = await wire.option(OPT.LIST);
  assert.deepEqual(
    replies.slice(0, 2).map(({ data }) => data),
    [Buffer.concat([text('first'), Buffer.from('a disk')]), text('ruhig/größe')],
  );
  const [broken] = await wire.option(OPT.GO, infoData('broken'));
  assert.doesNotMatch(broken?.data.toString() ?? '', /secret/);
  assert.match(String(served.errors[0]), /\/secret\/path/);
});

test('INFO and GO tell size, flags, names and block sizes', async () => {
  await using served = await scene();
  await using wire = await Wire.open(served.path);
  const infos = async (option: number, name: string, ...wanted: number[]): Promise<Buffer[]> =>
    (await wire.option(option, infoData(name, ...wanted))).slice(0, -1).map(({ data }) => data);
  const whole = [
    Buffer.concat([u16(0), u64(SIZE), u16(WRITABLE)]),
    Buffer.concat([u16(1), Buffer.from('first')]),
    Buffer.concat([u16(2), Buffer.from('a disk')]),
    Buffer.concat([u16(3), u32(1), u32(4096), u32(32 << 20)]),
  ];
  assert.deepEqual(await infos(OPT.INFO, '', 1, 2, 3), whole);
  const flags = async (name: string): Promise<number | undefined> =>
    (await infos(OPT.INFO, name))[0]?.readUInt16BE(10);
  assert.equal(await flags('ruhig/größe'), READ_ONLY);
  assert.equal(await flags('alone'), WRITABLE & ~MULTI_CONN, 'alone: no other connection may be tried');
  await wire.agree('structured');
  assert.equal(await flags('first'), WRITABLE | DF);
  await wire.agree('extended');
  assert.equal(await flags('first'), WRITABLE | DF);
  await wire.option(OPT.SET_META_CONTEXT, contextData('first', 'base:allocation'));
  assert.equal(await flags('first'), WRITABLE | DF | STATUS_PAYLOAD);
  assert.equal(await flags('alone'), (WRITABLE | DF) & ~MULTI_CONN);
  const [info] = await infos(OPT.GO, 'first', 3);
  assert.equal(info?.readUInt16BE(10), WRITABLE | DF | STATUS_PAYLOAD);
});

test('EXPORT_NAME begins at once, with 124 zeros or without', async () => {
  await using served = await scene();
  for (const clientFlags of [0, 1, 2, 3]) {
    await using wire = await Wire.open(served.path, clientFlags);
    wire.sendOption(OPT.EXPORT_NAME, Buffer.from('ruhig/größe'));
    const zeros = clientFlags < 2 ? 124 : 0;
    const expected = Buffer.concat([u64(SIZE), u16(READ_ONLY), Buffer.alloc(zeros)]);
    assert.deepEqual(await wire.read(10 + zeros), expected);
    assert.deepEqual((await wire.command({ command: CMD.READ, length: 512 })).data, Buffer.alloc(512));
  }
});

test('what cannot be answered ends the connection', async () => {
  await using served = await scene();
  const big = 32 * 2 ** 20 + 1;
  const ends: Record<string, (wire: Wire) => void> = {
    'client flags that nobody knows': (wire) => wire.send(u32(7)),
    'no magic number': (wire) => wire.send(u32(3), Buffer.from('IHAVEOPZ'), Buffer.alloc(8)),
    'EXPORT_NAME of none': (wire) => {
      wire.send(u32(3));
      wire.sendOption(OPT.EXPORT_NAME, Buffer.from('nope'));
    },
    'EXPORT_NAME of one that is broken': (wire) => {
      wire.send(u32(3));
      wire.sendOption(OPT.EXPORT_NAME, Buffer.from('broken'));
    },
    'EXPORT_NAME, too long': (wire) => {
      wire.send(u32(3));
      wire.sendOption(OPT.EXPORT_NAME, Buffer.alloc(70_000, 'x'));
    },
    'an option of 32 MiB and more': (wire) => {
      wire.send(u32(3));
      wire.sendOption(99, nothing, big);
    },
    'a client that leaves': (wire) => wire.socket.end(),
    'a client that leaves in the midst of an option': (wire) => {
      wire.send(u32(3), Buffer.from('IHAVE'));
      wire.socket.end();
    },
  };
  for (const [what, act] of Object.entries(ends)) {
    await using wire = await Wire.open(served.path, null);
    act(wire);
    const began = performance.now();
    await assert.doesNotReject(wire.assertEnded(), what);
    assert.ok(performance.now() - began < 2000, `${what}: at once`);
  }
  await using extended = await Wire.open(served.path);
  await extended.agree('extended');
  extended.sendOption(OPT.EXPORT_NAME, Buffer.from('first'));
  await extended.assertEnded();
});

test('ABORT is acknowledged, whatever it brings, and ends the connection', async () => {
  await using served = await scene();
  for (const data of [nothing, Buffer.alloc(100), Buffer.alloc(70_000)]) {
    await using wire = await Wire.open(served.path);
    assert.deepEqual(await wire.option(OPT.ABORT, data), [{ type: REP.ACK, data: nothing }]);
    await wire.assertEnded();
  }
});

test('contexts hold for the export they were set for, until they are set again, also when that fails', async () => {
  await using served = await scene();
  const status = async (...options: readonly (readonly [number, Uint8Array])[]): Promise<number> => {
    await using wire = await Wire.open(served.path);
    await wire.agree('structured');
    for (const [option, data] of options) await wire.option(option, data);
    return (await wire.command({ command: CMD.BLOCK_STATUS, length: 512 })).error;
  };
  const set = (name: string, ...queries: string[]): readonly [number, Uint8Array] => [
    OPT.SET_META_CONTEXT,
    contextData(name, ...queries),
  ];
  const go = (name: string): readonly [number, Uint8Array] => [OPT.GO, infoData(name)];
  assert.equal(await status(set('first', 'base:allocation'), go('first')), 0);
  assert.equal(await status(set('', 'base:allocation'), go('first')), 0, 'the same one by two names');
  assert.equal(await status(set('first', 'base:allocation'), [OPT.LIST, nothing], go('')), 0);
  assert.equal(await status(set('first', 'base:allocation'), go('alone')), ERR.EINVAL);
  assert.equal(await status(go('first')), ERR.EINVAL);
  for (const [what, fails] of Object.entries({
    'none chosen': set('first'),
    'none known': set('first', 'base:other'),
    'no such export': set('nope', 'base:allocation'),
    'of another export': set('alone', 'base:allocation'),
    malformed: [OPT.SET_META_CONTEXT, u32(70)] as const,
    'too long': [OPT.SET_META_CONTEXT, Buffer.alloc(70_000)] as const,
  })) {
    assert.equal(await status(set('first', 'base:allocation'), fails, go('first')), ERR.EINVAL, what);
  }
});

test('a client that sends everything at once, or byte by byte, is served alike', async () => {
  await using served = await scene();
  for (const piece of [1, 7, 1 << 20]) {
    await using wire = await Wire.open(served.path, null);
    const option = (number: number, data: Buffer): Buffer =>
      Buffer.concat([Buffer.from('IHAVEOPT'), u32(number), u32(data.length), data]);
    wire.mode = 'structured';
    const all = Buffer.concat([
      ...[u32(3), option(OPT.STRUCTURED_REPLY, nothing), option(99, Buffer.alloc(9))],
      option(OPT.SET_META_CONTEXT, contextData('', 'base:allocation')),
      option(OPT.GO, infoData('first')),
      wire.request({ command: CMD.WRITE, offset: 5, payload: Buffer.from('content') }),
      wire.request({ command: CMD.FLUSH }),
      wire.request({ command: CMD.BLOCK_STATUS, length: 10 }),
      wire.request({ command: CMD.DISC }),
    ]);
    for (let at = 0; at < all.length; at += piece) {
      wire.socket.write(all.subarray(at, at + piece));
      if (piece < all.length) await new Promise(setImmediate);
    }
    await wire.optionReplies(OPT.STRUCTURED_REPLY);
    assert.equal((await wire.optionReplies(99))[0]?.type, REP.ERR_UNSUP);
    assert.equal((await wire.optionReplies(OPT.SET_META_CONTEXT)).length, 2);
    assert.equal((await wire.optionReplies(OPT.GO)).length, 2);
    for (let replies = 0; replies < 3; replies += 1) assert.equal((await wire.reply()).error, 0);
    await wire.assertEnded();
  }
});

test('where TLS is a must, nothing else is answered before', async () => {
  let begun = 0;
  await using served = await serve(EXPORTS, {
    startTls: async (socket) => {
      begun += 1;
      return socket;
    },
  });
  await using wire = await Wire.open(served.path);
  const others = [
    OPT.LIST,
    OPT.INFO,
    OPT.GO,
    OPT.STRUCTURED_REPLY,
    OPT.SET_META_CONTEXT,
    OPT.EXTENDED_HEADERS,
    99,
  ];
  for (const option of others) {
    const replies = await wire.option(option, infoData('first'));
    assert.deepEqual(
      replies.map(({ type }) => type),
      [REP.ERR_TLS_REQD],
    );
  }
  assert.equal((await wire.option(OPT.STARTTLS, Buffer.alloc(1)))[0]?.type, REP.ERR_INVALID);
  assert.equal((await wire.option(OPT.STARTTLS))[0]?.type, REP.ACK);
  assert.equal(begun, 1);
  assert.equal((await wire.option(OPT.STARTTLS))[0]?.type, REP.ERR_INVALID);
  assert.equal((await wire.option(OPT.LIST)).at(-1)?.type, REP.ACK);

  for (const act of [
    (wire: Wire) => wire.sendOption(OPT.EXPORT_NAME, Buffer.from('first')),
    // Whatever comes ahead of the encryption may be anybody's.
    (wire: Wire) =>
      wire.send(
        ...[OPT.STARTTLS, OPT.LIST].map((each) =>
          Buffer.concat([Buffer.from('IHAVEOPT'), u32(each), u32(0)]),
        ),
      ),
  ]) {
    await using other = await Wire.open(served.path);
    act(other);
    await other.assertEnded();
  }
  await using old = await Wire.open(served.path, 0);
  await old.assertEnded();
  await using quits = await Wire.open(served.path);
  assert.equal((await quits.option(OPT.ABORT))[0]?.type, REP.ACK);
  assert.equal(begun, 1);
});

test('one client too many of an export is told so; when the first has gone, the next one comes', async () => {
  await using served = await scene();
  const first = await Wire.go(served.path, 'simple', { name: 'alone' });
  await using second = await Wire.open(served.path);
  assert.equal((await second.option(OPT.GO, infoData('alone')))[0]?.type, REP.ERR_POLICY);
  first.send(first.request({ command: CMD.DISC }));
  await first.assertEnded();
  await first[Symbol.asyncDispose]();
  for (;;) {
    const [reply] = await second.option(OPT.GO, infoData('alone'));
    if (reply?.type === REP.INFO) break;
    assert.equal(reply?.type, REP.ERR_POLICY);
  }
});

test('who takes too long to agree is cut off; while a disk takes long to open, nobody is', async () => {
  const slow = exported(async () => {
    await new Promise((resolve) => setTimeout(resolve, 600));
    return new MemoryDisk(SIZE);
  });
  await using served = await serve([slow], { limits: { handshakeMs: 300 } });
  const began = performance.now();
  await using silent = await Wire.open(served.path, null);
  await using patient = await Wire.open(served.path);
  assert.equal((await patient.option(OPT.GO, infoData(''))).at(-1)?.type, REP.ACK);
  assert.ok(performance.now() - began > 590);
  await silent.assertEnded();
  await using dripping = await Wire.open(served.path);
  const drip = setInterval(() => dripping.send(Buffer.of(0x49)), 20);
  await dripping.assertEnded().finally(() => clearInterval(drip));
});

test('a client may not make the server work for nothing for ever', async () => {
  await using served = await scene();
  await using wire = await Wire.open(served.path);
  const option = Buffer.concat([Buffer.from('IHAVEOPT'), u32(99), u32(0)]);
  for (let count = 0; count < 1000; count += 1) wire.send(option);
  for (let count = 0; count < 500; count += 1) await wire.optionReplies(99);
  await assert.rejects(async () => {
    for (;;) await wire.optionReplies(99);
  }, /the connection ended/);
});
