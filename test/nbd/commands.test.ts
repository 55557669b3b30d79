import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Disk,
  type DiskOperation,
  delayedDisk,
  type FaultPlan,
  faultyDisk,
  MemoryDisk,
  recordingDisk,
} from '../../src/disk/index.ts';
import { allocationDepth } from '../../src/nbd/index.ts';
import { exported, pattern, patternedDisk, serve } from './served.ts';
import {
  CMD,
  type Command,
  contextData,
  ERR,
  FLAG,
  infoData,
  type Mode,
  OPT,
  type Reply,
  u32,
  u64,
  Wire,
} from './wire.ts';

const MODES: readonly Mode[] = ['simple', 'structured', 'extended'];
/** Not a multiple of anything: the last byte counts too. */
const SIZE = 3_000_001;
const MIB = 2 ** 20;
const HIGH = 2n ** 64n;

/** Commands and the errors that they must have; 0 is success. After each the connection goes on. */
const CASES: readonly (readonly [what: string, command: Command, error: number, modes?: readonly Mode[]])[] =
  [
    ['a read', { command: CMD.READ, length: 512 }, 0],
    ['of the last byte', { command: CMD.READ, offset: SIZE - 1, length: 1 }, 0],
    ['of nothing', { command: CMD.READ, offset: 5, length: 0 }, 0],
    ['of nothing at the end', { command: CMD.READ, offset: SIZE, length: 0 }, 0],
    ['of the whole disk', { command: CMD.READ, length: SIZE }, 0],
    ['past the end', { command: CMD.READ, offset: SIZE - 1, length: 2 }, ERR.EINVAL],
    ['behind the end', { command: CMD.READ, offset: 2n ** 40n, length: 1 }, ERR.EINVAL],
    ['at the highest offset', { command: CMD.READ, offset: HIGH - 1n, length: 1 }, ERR.EINVAL],
    ['around the highest offset', { command: CMD.READ, offset: HIGH - 512n, length: 1024 }, ERR.EINVAL],
    ['past 2^53', { command: CMD.READ, offset: 2n ** 53n + 1n, length: 1 }, ERR.EINVAL],
    ['of 4 GiB', { command: CMD.READ, length: 0xffffffff }, ERR.EINVAL],
    ['of 2^64 bytes', { command: CMD.READ, length: HIGH - 1n }, ERR.EINVAL, ['extended']],
    ['with FUA', { command: CMD.READ, flags: FLAG.FUA, length: 1 }, 0],
    ['with DF', { command: CMD.READ, flags: FLAG.DF, length: SIZE }, 0, ['structured', 'extended']],
    ['with DF in a simple reply', { command: CMD.READ, flags: FLAG.DF, length: 1 }, ERR.EINVAL, ['simple']],
    ['with REQ_ONE', { command: CMD.READ, flags: FLAG.REQ_ONE, length: 1 }, ERR.EINVAL],
    ['with a flag that is none', { command: CMD.READ, flags: 0x8000, length: 1 }, ERR.EINVAL],
    [
      'with a payload',
      { command: CMD.READ, flags: FLAG.PAYLOAD_LEN, payload: Buffer.alloc(9) },
      ERR.EINVAL,
      ['extended'],
    ],
    [
      'with the flag of one',
      { command: CMD.READ, flags: FLAG.PAYLOAD_LEN, length: 9 },
      ERR.EINVAL,
      ['simple', 'structured'],
    ],

    ['a write', { command: CMD.WRITE, offset: 1, payload: Buffer.alloc(513, 7) }, 0],
    ['of nothing', { command: CMD.WRITE, payload: Buffer.alloc(0) }, 0],
    [
      'of the last byte, with FUA',
      { command: CMD.WRITE, flags: FLAG.FUA, offset: SIZE - 1, payload: Buffer.alloc(1, 7) },
      0,
    ],
    ['of several pieces', { command: CMD.WRITE, offset: 3, payload: Buffer.alloc((5 * MIB) / 2, 8) }, 0],
    ['past the end', { command: CMD.WRITE, offset: SIZE - 1, payload: Buffer.alloc(2, 7) }, ERR.ENOSPC],
    [
      'at the highest offset',
      { command: CMD.WRITE, offset: HIGH - 1n, payload: Buffer.alloc(1, 7) },
      ERR.ENOSPC,
    ],
    ['with DF', { command: CMD.WRITE, flags: FLAG.DF, payload: Buffer.alloc(70_000, 7) }, ERR.EINVAL],
    ['with NO_HOLE', { command: CMD.WRITE, flags: FLAG.NO_HOLE, payload: Buffer.alloc(1, 7) }, ERR.EINVAL],
    [
      'of 32 MiB and a byte',
      { command: CMD.WRITE, payload: Buffer.alloc(32 * MIB + 1, 7) },
      ERR.ENOSPC,
      ['structured'],
    ],

    ['a flush', { command: CMD.FLUSH }, 0],
    ['with FUA', { command: CMD.FLUSH, flags: FLAG.FUA }, 0],
    ['of a range', { command: CMD.FLUSH, offset: 512, length: 512 }, ERR.EINVAL],
    ['with DF', { command: CMD.FLUSH, flags: FLAG.DF }, ERR.EINVAL],

    ['a trim', { command: CMD.TRIM, offset: 100, length: 200_000 }, 0],
    ['with FUA', { command: CMD.TRIM, flags: FLAG.FUA, length: SIZE }, 0],
    ['of nothing', { command: CMD.TRIM, length: 0 }, 0],
    ['past the end', { command: CMD.TRIM, offset: 1, length: SIZE }, ERR.EINVAL],
    ['of 2^64 bytes', { command: CMD.TRIM, length: HIGH - 1n }, ERR.EINVAL, ['extended']],
    [
      'with a payload',
      { command: CMD.TRIM, flags: FLAG.PAYLOAD_LEN, payload: Buffer.alloc(MIB) },
      ERR.EINVAL,
      ['extended'],
    ],

    ['caching', { command: CMD.CACHE, length: SIZE }, 0],
    ['with FUA', { command: CMD.CACHE, flags: FLAG.FUA, length: 1 }, 0],
    ['with DF', { command: CMD.CACHE, flags: FLAG.DF, length: 1 }, ERR.EINVAL],
    ['past the end', { command: CMD.CACHE, offset: SIZE, length: 1 }, ERR.EINVAL],

    ['zeros', { command: CMD.WRITE_ZEROES, offset: 7, length: 100_000 }, 0],
    ['with FUA', { command: CMD.WRITE_ZEROES, flags: FLAG.FUA, length: 70_000 }, 0],
    ['kept allocated', { command: CMD.WRITE_ZEROES, flags: FLAG.NO_HOLE, length: 70_000 }, 0],
    ['fast', { command: CMD.WRITE_ZEROES, flags: FLAG.FAST_ZERO, length: SIZE }, 0],
    [
      'fast, and kept allocated',
      { command: CMD.WRITE_ZEROES, flags: FLAG.FAST_ZERO | FLAG.NO_HOLE, length: SIZE },
      ERR.ENOTSUP,
    ],
    ['past the end', { command: CMD.WRITE_ZEROES, offset: 1, length: SIZE }, ERR.ENOSPC],
    ['of 2^63 bytes', { command: CMD.WRITE_ZEROES, length: 2n ** 63n }, ERR.ENOSPC, ['extended']],
    ['with DF', { command: CMD.WRITE_ZEROES, flags: FLAG.DF, length: 1 }, ERR.EINVAL],

    ['block status', { command: CMD.BLOCK_STATUS, length: SIZE }, 0, ['structured', 'extended']],
    ['in a simple mode', { command: CMD.BLOCK_STATUS, length: 1 }, ERR.EINVAL, ['simple']],
    [
      'of one',
      { command: CMD.BLOCK_STATUS, flags: FLAG.REQ_ONE, length: SIZE },
      0,
      ['structured', 'extended'],
    ],
    ['with FUA', { command: CMD.BLOCK_STATUS, flags: FLAG.FUA, length: 1 }, 0, ['structured', 'extended']],
    ['of nothing', { command: CMD.BLOCK_STATUS, length: 0 }, ERR.EINVAL],
    ['past the end', { command: CMD.BLOCK_STATUS, offset: SIZE, length: 1 }, ERR.EINVAL],
    ['with DF', { command: CMD.BLOCK_STATUS, flags: FLAG.DF, length: 1 }, ERR.EINVAL],
    ['of 2^64 bytes', { command: CMD.BLOCK_STATUS, length: HIGH - 1n }, ERR.EINVAL, ['extended']],

    ['a resize', { command: CMD.RESIZE, offset: SIZE, length: 512 }, ERR.EINVAL],
    ['no command', { command: 0xffff, flags: 0xffdf, offset: HIGH - 1n, length: 0xffffffff }, ERR.EINVAL],
    [
      'no command, with a payload',
      { command: 0x1234, flags: FLAG.PAYLOAD_LEN, payload: Buffer.alloc(100_000) },
      ERR.EINVAL,
      ['extended'],
    ],
  ];

test('each command and flag, right or wrong, has its reply in every mode, and the connection goes on', async () => {
  for (const mode of MODES) {
    await using served = await serve([exported(await patternedDisk(SIZE), { contexts: [allocationDepth] })]);
    const contexts = mode === 'simple' ? [] : ['base:allocation'];
    await using wire = await Wire.go(served.path, mode, { contexts });
    let what = '';
    for (const [name, command, error, modes = MODES] of CASES) {
      what = /^(a|an|no|caching|zeros|block) ?/.test(name) ? name : `${what.replace(/ \|.*/, '')} | ${name}`;
      if (!modes.includes(mode)) continue;
      const reply = await wire.command(command);
      assert.equal(reply.error, error, `${mode}: ${what}: ${reply.message}`);
      if (error !== 0 && mode !== 'simple') assert.ok(reply.message.length > 0, what);
      const { offset = 0, length = 0 } = command;
      if (command.command === CMD.READ && error === 0) {
        assert.ok(reply.data.equals(pattern(Number(offset), Number(length))), `${mode}: ${what}`);
      }
      assert.equal(
        (await wire.command({ command: CMD.FLUSH })).error,
        0,
        `${mode}: ${what}: and then a flush`,
      );
    }
    assert.deepEqual(served.errors, []);
  }
});

test('a read-only export takes no change, and says so before all else', async () => {
  for (const mode of MODES) {
    const disk = await patternedDisk(SIZE);
    await using served = await serve([exported(disk, { readOnly: true })]);
    await using wire = await Wire.go(served.path, mode);
    for (const offset of [0, SIZE]) {
      for (const command of [
        { command: CMD.WRITE, offset, payload: Buffer.alloc(100_000, 7) },
        { command: CMD.WRITE, flags: FLAG.FUA, offset, payload: Buffer.alloc(0) },
        { command: CMD.TRIM, offset, length: 512 },
        { command: CMD.WRITE_ZEROES, flags: FLAG.FAST_ZERO, offset, length: 512 },
      ]) {
        assert.equal((await wire.command(command)).error, ERR.EPERM);
      }
    }
    assert.equal((await wire.command({ command: CMD.FLUSH })).error, 0);
    assert.ok((await wire.command({ command: CMD.READ, length: SIZE })).data.equals(pattern(0, SIZE)));
  }
});

test('a write, a trim and zeros do what they say, and no more', async () => {
  for (const mode of MODES) {
    await using served = await serve([exported(await patternedDisk(SIZE))]);
    await using wire = await Wire.go(served.path, mode);
    const expected = pattern(0, SIZE);
    for (const [offset, length] of [
      [0, 1],
      [12_345, 70_001],
      [SIZE - 1_500_000, 1_500_000],
    ] as const) {
      const payload = pattern(offset + 77_777, length);
      payload.copy(expected, offset);
      await wire.command({ command: CMD.WRITE, offset, payload });
    }
    for (const command of [CMD.WRITE_ZEROES, CMD.TRIM]) {
      await wire.command({ command, offset: 200_001, length: 300_000 });
      expected.fill(0, 200_001, 500_001);
    }
    assert.ok((await wire.command({ command: CMD.READ, length: SIZE })).data.equals(expected), mode);
  }
});

test('what is not fast is refused at once, and done when it need not be fast', async () => {
  const disk = await patternedDisk(SIZE);
  await using served = await serve([exported(disk, { fastZeroes: false })]);
  await using wire = await Wire.go(served.path, 'structured');
  const zeros = { command: CMD.WRITE_ZEROES, length: SIZE };
  assert.equal((await wire.command({ ...zeros, flags: FLAG.FAST_ZERO })).error, ERR.ENOTSUP);
  assert.ok((await wire.command({ command: CMD.READ, length: SIZE })).data.equals(pattern(0, SIZE)));
  assert.equal((await wire.command(zeros)).error, 0);
  assert.ok((await wire.command({ command: CMD.READ, length: SIZE })).data.equals(Buffer.alloc(SIZE)));
});

test('NO_HOLE keeps the space', async () => {
  const seen: unknown[] = [];
  const disk = await patternedDisk(SIZE);
  const writeZeroes = disk.writeZeroes.bind(disk);
  Object.assign(disk, {
    writeZeroes(offset: number, length: number, options: unknown): Promise<void> {
      seen.push(options);
      return writeZeroes(offset, length);
    },
  });
  await using served = await serve([exported(disk)]);
  await using wire = await Wire.go(served.path, 'simple');
  await wire.command({ command: CMD.WRITE_ZEROES, length: 512 });
  await wire.command({ command: CMD.WRITE_ZEROES, flags: FLAG.NO_HOLE, length: 512 });
  assert.deepEqual(seen, [{ unmap: true }, { unmap: false }]);
});

test('FUA and a flush reach the disk before they are answered, on whichever connection', async () => {
  const disk = recordingDisk(await patternedDisk(SIZE));
  await using served = await serve([exported(disk)]);
  await using one = await Wire.go(served.path, 'structured');
  await using other = await Wire.go(served.path, 'simple');
  const kinds = (): string => disk.log.operations.map(({ kind }) => kind).join(' ');
  await one.command({ command: CMD.WRITE, payload: Buffer.alloc(9, 1) });
  await other.command({ command: CMD.FLUSH });
  assert.equal(kinds(), 'write flush');
  await one.command({ command: CMD.WRITE, flags: FLAG.FUA, payload: Buffer.alloc(9, 2) });
  await one.command({ command: CMD.WRITE_ZEROES, flags: FLAG.FUA, length: 9 });
  await one.command({ command: CMD.TRIM, flags: FLAG.FUA, length: 9 });
  assert.equal(kinds(), 'write flush write flush writeZeroes flush discard flush');
});

test('block status: extents of each context, one where one is asked for, and the choice of a payload', async () => {
  const PAGE = 65_536n;
  for (const mode of ['structured', 'extended'] as const) {
    const disk = new MemoryDisk(SIZE);
    await disk.write(Buffer.alloc(100_000, 1), 0);
    await disk.writeZeroes(2 * 65_536, 65_536);
    await using served = await serve([exported(disk, { contexts: [allocationDepth] })]);
    await using wire = await Wire.go(served.path, mode, {
      contexts: ['base:allocation', 'qemu:allocation-depth'],
    });
    const status = async (command: Omit<Command, 'command'>): Promise<unknown> => {
      const reply = await wire.command({ command: CMD.BLOCK_STATUS, ...command });
      assert.equal(reply.error, 0, reply.message);
      return [...reply.status.values()];
    };
    const rest = BigInt(SIZE) - 3n * PAGE;
    assert.deepEqual(await status({ length: SIZE }), [
      [
        [2n * PAGE, 0n],
        [PAGE + rest, 3n],
      ],
      [
        [3n * PAGE, 1n],
        [rest, 0n],
      ],
    ]);
    assert.deepEqual(await status({ offset: 100, length: SIZE - 100, flags: FLAG.REQ_ONE }), [
      [[2n * PAGE - 100n, 0n]],
      [[3n * PAGE - 100n, 1n]],
    ]);
    assert.deepEqual(await status({ offset: 100, length: 7, flags: FLAG.REQ_ONE }), [[[7n, 0n]], [[7n, 1n]]]);
    assert.deepEqual(await status({ offset: SIZE - 1, length: 1 }), [[[1n, 3n]], [[1n, 0n]]]);
    if (mode === 'structured') continue;

    const choose = (length: bigint | number, ...ids: number[]): Promise<Reply> =>
      wire.command({
        command: CMD.BLOCK_STATUS,
        flags: FLAG.PAYLOAD_LEN,
        offset: 65_536,
        payload: Buffer.concat([u64(length), ...ids.map(u32)]),
      });
    const [base = 0, depth = 0] = (
      await wire.command({ command: CMD.BLOCK_STATUS, length: 1 })
    ).status.keys();
    assert.deepEqual([...(await choose(2n * PAGE, depth)).status], [[depth, [[2n * PAGE, 1n]]]]);
    assert.deepEqual([...(await choose(9, depth, base)).status.keys()].sort(), [base, depth].sort());
    for (const ids of [[], [base, base], [base, depth, base], [12_345], [base, 12_345]]) {
      assert.equal((await choose(512, ...ids)).error, ERR.EINVAL, `contexts ${ids}`);
    }
    assert.equal((await choose(0, base)).error, ERR.EINVAL);
    assert.equal((await choose(HIGH - 1n, base)).error, ERR.EINVAL);
    for (const length of [1, 8, 13, 15, 70_000]) {
      const odd = { command: CMD.BLOCK_STATUS, flags: FLAG.PAYLOAD_LEN, payload: Buffer.alloc(length, 0) };
      assert.equal((await wire.command(odd)).error, ERR.EINVAL, `a payload of ${length} bytes`);
    }
    assert.equal((await wire.command({ command: CMD.READ, length: 5 })).data.length, 5);
  }
});

test('a disk of many extents is described in bounded replies, each of which goes on where the last ended', async () => {
  const pages = 20_000;
  const disk = new MemoryDisk(pages * 65_536);
  Object.assign(disk, {
    async *extents(offset: number, length: number) {
      for (let at = offset; at < offset + length; at += 65_536) {
        yield { offset: at, length: 65_536, kind: (at / 65_536) % 2 === 0 ? 'data' : 'zero', depth: 0 };
      }
    },
  });
  await using served = await serve([exported(disk)]);
  await using wire = await Wire.go(served.path, 'structured', { contexts: ['base:allocation'] });
  let at = 0n;
  let replies = 0;
  for (; at < BigInt(disk.size); replies += 1) {
    const rest = BigInt(disk.size) - at;
    const length = rest > 0xffff0000n ? 0xffff0000n : rest;
    const { status } = await wire.command({ command: CMD.BLOCK_STATUS, offset: at, length });
    for (const [extent, flags] of [...status.values()][0] ?? []) {
      assert.deepEqual([extent, flags], [65_536n, (at / 65_536n) % 2n === 0n ? 0n : 3n]);
      at += extent;
    }
  }
  assert.ok(replies < 10, `${replies} replies`);
});

test('replies come in the order in which commands end, not in which they began', async () => {
  const slow = Promise.withResolvers<void>();
  const disk = delayedDisk(await patternedDisk(SIZE), ({ kind, offset }: DiskOperation) =>
    kind === 'read' && offset === 0 ? slow.promise : 0,
  );
  await using served = await serve([exported(disk)]);
  // A server ends when its disk has answered.
  using _ = { [Symbol.dispose]: slow.resolve };
  for (const mode of MODES) {
    await using wire = await Wire.go(served.path, mode);
    wire.send(
      wire.request({ command: CMD.READ, length: 512, cookie: 1n }),
      wire.request({ command: CMD.READ, offset: 512, length: 512, cookie: 2n }),
      wire.request({ command: CMD.WRITE, offset: 512, payload: pattern(512, 512), cookie: HIGH - 1n }),
    );
    const early = [await wire.reply(), await wire.reply()].map(({ cookie }) => cookie);
    assert.deepEqual(new Set(early), new Set([2n, HIGH - 1n]));
    if (mode === 'extended') slow.resolve();
    else wire.socket.destroy();
    if (mode === 'extended') assert.deepEqual((await wire.reply()).data, pattern(0, 512));
  }
});

/** Fails reads of the disk's second megabyte and all changes there. */
const badSpot: FaultPlan = ({ kind, offset = 0, length = 0 }) =>
  kind !== 'flush' && offset < 2 * MIB && offset + length > MIB ? { code: 'io' } : undefined;

test('what the disk fails at is told to the client, and to nobody else', async () => {
  for (const mode of MODES) {
    await using served = await serve([exported(faultyDisk(await patternedDisk(SIZE), badSpot))]);
    await using wire = await Wire.go(served.path, mode);
    await using other = await Wire.go(served.path, mode);
    for (const command of [
      { command: CMD.READ, offset: MIB, length: 512 },
      { command: CMD.READ, offset: MIB, length: MIB + 1 },
      { command: CMD.WRITE, offset: MIB, payload: Buffer.alloc(512) },
      { command: CMD.WRITE, offset: 1, payload: Buffer.alloc(2_500_000) },
      { command: CMD.TRIM, offset: MIB, length: 512 },
      { command: CMD.WRITE_ZEROES, offset: MIB, length: 512 },
    ]) {
      assert.equal((await wire.command(command)).error, ERR.EIO);
    }
    assert.equal(
      (await wire.command({ command: CMD.CACHE, offset: MIB, length: 512 })).error,
      0,
      'no promise',
    );
    assert.ok((await other.command({ command: CMD.READ, offset: 2 * MIB, length: 512 })).error === 0);
    assert.ok(served.errors.length > 0);
  }
});

test('a long read that fails in its midst: a simple one ends the connection, a structured one says so', async () => {
  await using served = await serve([exported(faultyDisk(await patternedDisk(SIZE), badSpot))]);
  await using simple = await Wire.go(served.path, 'simple');
  await using other = await Wire.go(served.path, 'simple');
  simple.send(simple.request({ command: CMD.READ, length: SIZE }));
  await assert.rejects(simple.reply(), /the connection ended/);
  for (const mode of ['structured', 'extended'] as const) {
    await using wire = await Wire.go(served.path, mode);
    for (const flags of [0, FLAG.DF]) {
      const { error, data, chunks } = await wire.command({ command: CMD.READ, flags, length: SIZE });
      assert.equal(error, ERR.EIO);
      assert.ok(data.subarray(0, MIB).equals(pattern(0, MIB)));
      if (flags === FLAG.DF)
        assert.deepEqual(
          chunks.map(({ type }) => type),
          [1, 0x8001],
        );
    }
    assert.equal((await wire.command({ command: CMD.READ, length: 512 })).error, 0);
  }
  assert.equal(
    (await other.command({ command: CMD.READ, length: 512 })).error,
    0,
    'another client notices nothing',
  );
});

test('a full disk is told apart from a broken one', async () => {
  const full = faultyDisk(await patternedDisk(SIZE), ({ kind }) =>
    kind === 'write' ? { code: 'no-space' } : undefined,
  );
  await using served = await serve([exported(full)]);
  await using wire = await Wire.go(served.path, 'structured');
  assert.equal((await wire.command({ command: CMD.WRITE, payload: Buffer.alloc(9) })).error, ERR.ENOSPC);
  const failed = faultyDisk(await patternedDisk(SIZE), ({ kind }) =>
    kind === 'flush' ? { code: 'io' } : undefined,
  );
  await using other = await serve([exported(failed)]);
  await using fua = await Wire.go(other.path, 'structured');
  assert.equal((await fua.command({ command: CMD.WRITE, payload: Buffer.alloc(9) })).error, 0);
  assert.equal(
    (await fua.command({ command: CMD.WRITE, flags: FLAG.FUA, payload: Buffer.alloc(9) })).error,
    ERR.EIO,
  );
  assert.equal((await fua.command({ command: CMD.FLUSH })).error, ERR.EIO);
});

test('what is no request, or brings more than a server has to take, ends the connection alone', async () => {
  await using served = await serve([exported(await patternedDisk(SIZE))]);
  await using good = await Wire.go(served.path, 'structured');
  const ends: readonly (readonly [Mode, (wire: Wire) => Buffer])[] = [
    ...MODES.map((mode) => [mode, () => Buffer.alloc(64, 'rubbish')] as const),
    ['simple', (wire) => wire.request({ command: CMD.WRITE, length: 0xffffffff })],
    ['extended', (wire) => wire.request({ command: CMD.WRITE, length: HIGH - 1n })],
    [
      'extended',
      (wire) => wire.request({ command: CMD.TRIM, flags: FLAG.PAYLOAD_LEN, length: 32 * MIB + 1 }),
    ],
  ];
  for (const [mode, what] of ends) {
    await using wire = await Wire.go(served.path, mode);
    wire.send(what(wire));
    await wire.assertEnded();
  }
  assert.equal((await good.command({ command: CMD.READ, length: 512 })).error, 0);
});

test('DISC is obeyed after all else is answered; so is the end of what a client sends', async () => {
  const open = async (): Promise<Disk> => delayedDisk(await patternedDisk(SIZE), 50);
  await using served = await serve([exported(open)]);
  for (const mode of MODES) {
    for (const end of ['DISC', 'shutdown'] as const) {
      await using wire = await Wire.go(served.path, mode);
      // A request whose data do not come is nobody's business any more.
      const broken = wire.request({ command: CMD.WRITE, length: 100_000 });
      for (let count = 0; count < 20; count += 1) wire.send(wire.request({ command: CMD.READ, length: 700 }));
      if (end === 'DISC') wire.send(wire.request({ command: CMD.DISC }));
      else wire.socket.end(broken);
      for (let count = 0; count < 20; count += 1)
        assert.deepEqual((await wire.reply()).data, pattern(0, 700));
      await wire.assertEnded();
    }
  }
});

test('contexts of an export that another one does not have are not asked of its disk', async () => {
  const disk = async (): Promise<MemoryDisk> => new MemoryDisk(SIZE);
  await using served = await serve([
    exported(disk, { name: 'a', contexts: [allocationDepth] }),
    exported(disk, { name: 'b' }),
  ]);
  await using wire = await Wire.open(served.path);
  await wire.agree('structured');
  await wire.option(OPT.SET_META_CONTEXT, contextData('a', 'qemu:allocation-depth'));
  await wire.option(OPT.GO, infoData('b'));
  assert.equal((await wire.command({ command: CMD.BLOCK_STATUS, length: 512 })).error, ERR.EINVAL);
});
