import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { startNbdkit, startQemuNbd } from '../../../test/support/nbd-peers.ts';
import { succeed } from '../../../test/support/programs.ts';
import { qemuIo } from '../../../test/support/qemu.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { type Disk, extentsOf, openRawDisk, writeZeroesTo } from '../../disk/index.ts';
import { listNbd } from './list-nbd.ts';
import { openNbd } from './open-nbd.ts';

const MIB = 1 << 20;
const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let sockets = 0;
const fresh = (): string => folder.join(`s${sockets++}`);

async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  await disk.read(bytes, 0);
  return bytes;
}

/** Writes, zeroes and discards odd ranges, all at once where they do not overlap; returns what must be there. */
async function change(uri: string, size: number): Promise<Buffer> {
  const expected = Buffer.alloc(size);
  const bytes = randomBytes(900_001);
  bytes.copy(expected, 12_345);
  expected.fill(0, 100_001, 700_000);
  await using disk = await openNbd(uri, { readOnly: false });
  await disk.write(bytes, 12_345);
  await writeZeroesTo(disk, 100_001, 599_999);
  const last = size - 777;
  await Promise.all([disk.write(Buffer.of(7), last), disk.write(Buffer.of(8, 9), last + 1), disk.flush()]);
  expected.set([7, 8, 9], last);
  await disk.flush();
  assert.ok((await contentOf(disk)).equals(expected), 'reads what was written');
  return expected;
}

describe('nbdkit', () => {
  const VARIANTS: readonly (readonly [what: string, args: readonly string[]])[] = [
    ['as it is', ['memory', '2M']],
    ['of the oldest manner that can be spoken', ['--mask-handshake=0', 'memory', '2M']],
    ['without structured replies', ['--no-sr', 'memory', '2M']],
    ['that cannot write zeros', ['--filter=nozero', 'memory', '2M']],
    ['that cannot tell extents', ['--filter=noextents', 'memory', '2M']],
    ['without several connections', ['--filter=multi-conn', 'memory', '2M', 'multi-conn-mode=disable']],
    [
      'that takes whole blocks of 4 KiB, 8 KiB at most',
      [
        '--filter=blocksize-policy',
        'memory',
        '2M',
        'blocksize-error-policy=error',
        'blocksize-minimum=4096',
        'blocksize-preferred=4096',
        'blocksize-maximum=8192',
      ],
    ],
  ];
  for (const [what, args] of VARIANTS) {
    it(`${what} is read, written and zeroed`, async () => {
      await using peer = await startNbdkit(fresh(), args);
      const expected = await change(peer.uri(), 2 * MIB);
      await using disk = await openNbd(peer.uri());
      assert.ok((await contentOf(disk)).equals(expected), 'another client reads it, too');
    });
  }

  it('of the old style is refused by name', async () => {
    await using peer = await startNbdkit(fresh(), ['--oldstyle', 'memory', '1M']);
    await refused(openNbd(peer.uri()), 'unsupported', /oldstyle/);
  });

  it('that is read-only is not opened for writing, and one opened for reading is not written', async () => {
    await using peer = await startNbdkit(fresh(), ['-r', 'memory', '1M']);
    await refused(
      openNbd(peer.uri(), { readOnly: false }),
      'denied',
      /read-only and cannot be opened for writing/,
    );
    await using disk = await openNbd(peer.uri());
    await refused(disk.write(Buffer.alloc(512), 0), 'denied', /opened for reading/);
    assert.equal(disk.discard, undefined);
  });

  it('tells why a command failed, and goes on', async () => {
    const script = (errno: string) => `echo ${errno} of purpose >&2; exit 1`;
    await using peer = await startNbdkit(fresh(), [
      'eval',
      'get_size=echo 1048576',
      `pread=if [ $4 -ge 4096 ]; then ${script('EIO')}; fi; dd if=/dev/zero bs=$3 count=1 status=none`,
      `pwrite=${script('ENOSPC')}`,
      'can_write=exit 0',
      'can_trim=exit 0',
      `trim=${script('EPERM')}`,
      'can_flush=exit 0',
      `flush=${script('EIO')}`,
    ]);
    const disk = await openNbd(peer.uri(), { readOnly: false });
    const failed = await refused(
      disk.read(Buffer.alloc(512), 4096),
      'io',
      /read of 512 bytes at 4096: .* EIO/,
    );
    assert.equal(failed.data['errno'], 'EIO');
    await refused(disk.write(Buffer.alloc(512), 0), 'no-space', /write of 512 bytes at 0: .* ENOSPC/);
    assert.ok(disk.discard);
    await refused(disk.discard(0, 4096), 'denied', /trim of 4096 bytes at 0: .* EPERM/);
    await refused(disk.flush(), 'io', /flush: .* EIO/);
    await disk.read(Buffer.alloc(512), 0);
    await refused(disk.close(), 'io', /flush/);
  });

  it('that finds a long range too long gets short ones', async () => {
    const short = '[ $3 -le 33554432 ] || { echo EINVAL too long >&2; exit 1; }; echo $3 >>';
    const log = folder.join('zeroed');
    await using peer = await startNbdkit(fresh(), [
      '--filter=blocksize-policy',
      'eval',
      'get_size=echo 268435456',
      'block_size=echo 512 4096 33554432',
      'can_write=exit 0',
      'can_zero=exit 0',
      `zero=${short} ${log}`,
      'pread=exit 1',
      'pwrite=exit 1',
    ]);
    await using disk = await openNbd(peer.uri(), { readOnly: false });
    assert.ok(disk.writeZeroes);
    await disk.writeZeroes(0, 256 * MIB);
    const lengths = (await readFile(log, 'utf8')).trim().split('\n').map(Number);
    assert.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      256 * MIB,
    );
  });

  it('answers reads with errors at random, and what is read is right', async () => {
    await using peer = await startNbdkit(fresh(), [
      '--filter=error',
      'pattern',
      '4M',
      'error-pread-rate=30%',
    ]);
    await using disk = await openNbd(peer.uri());
    let failures = 0;
    const read = async (offset: number): Promise<void> => {
      const bytes = Buffer.alloc(4096);
      for (;;) {
        try {
          await disk.read(bytes, offset);
          break;
        } catch {
          failures += 1;
        }
      }
      for (let at = 0; at < 4096; at += 8) assert.equal(bytes.readBigUInt64BE(at), BigInt(offset + at));
    };
    await Promise.all(Array.from({ length: 200 }, (_, index) => read(index * 4096)));
    assert.ok(failures > 10);
  });
});

describe('qemu-nbd', () => {
  it('serves a chain, whose extents are told with their depths', async () => {
    const [base, top] = [folder.join('base.qcow2'), folder.join('top.qcow2')];
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', base, '4M']);
    await qemuIo(base, ['write -P 1 0 128k', 'write -z 1M 64k']);
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top]);
    await qemuIo(top, ['write -P 2 64k 64k', 'write -z 2M 64k']);
    await using peer = await startQemuNbd(fresh(), ['-r', '-A', '-e', '4', '-f', 'qcow2', top]);
    await using disk = await openNbd(peer.uri());
    const found = await Array.fromAsync(extentsOf(disk, 0, disk.size));
    const KIB = 1024;
    assert.deepEqual(
      found.map(({ offset, length, kind, depth }) => [offset / KIB, length / KIB, kind, depth]),
      [
        [0, 64, 'data', 1],
        [64, 64, 'data', 0],
        [128, 896, 'unallocated', 0],
        [1024, 64, 'zero', 1],
        [1088, 960, 'unallocated', 0],
        [2048, 64, 'zero', 0],
        [2112, 1984, 'unallocated', 0],
      ],
    );
    const odd = await Array.fromAsync(extentsOf(disk, 64 * KIB - 1, 2));
    assert.deepEqual(
      odd.map(({ offset, length, depth }) => [offset, length, depth]),
      [
        [65_535, 1, 1],
        [65_536, 1, 0],
      ],
    );
    const content = await contentOf(disk);
    assert.ok(content.subarray(0, 65_536).equals(Buffer.alloc(65_536, 1)));
    assert.ok(content.subarray(65_536, 131_072).equals(Buffer.alloc(65_536, 2)));
    assert.ok(content.subarray(131_072).equals(Buffer.alloc(4 * MIB - 131_072)));
  });

  it('is written, and finds nothing wrong with its image afterwards', async () => {
    const image = folder.join('written.qcow2');
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', image, '2M']);
    const peer = await startQemuNbd(fresh(), ['--discard=unmap', '-f', 'qcow2', image]);
    const expected = await change(peer.uri(), 2 * MIB);
    await using disk = await openNbd(peer.uri(), { readOnly: false });
    assert.ok(disk.discard && disk.extents);
    await disk.discard(0, MIB);
    expected.fill(0, 0, MIB);
    assert.ok((await contentOf(disk)).equals(expected));
    const extents = await Array.fromAsync(disk.extents(0, MIB));
    assert.ok(extents.every(({ kind }) => kind !== 'data'));
    await disk.close();
    await peer[Symbol.asyncDispose]();
    await succeed('qemu-img', ['check', '-q', image]);
    const raw = folder.join('written.raw');
    await succeed('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', image, raw]);
    await using file = await openRawDisk(raw);
    assert.ok((await contentOf(file)).equals(expected));
  });

  it('lists its export, and has no other', async () => {
    const image = folder.join('listed.raw');
    await writeFile(image, Buffer.alloc(512));
    await using peer = await startQemuNbd(fresh(), [
      '-f',
      'raw',
      '-r',
      '-x',
      'köy 1',
      '-D',
      'a village',
      image,
    ]);
    assert.deepEqual(await listNbd(peer.uri()), [{ name: 'köy 1', description: 'a village' }]);
    await refused(openNbd(peer.uri('elsewhere')), 'not-found', /no such export/);
    await using disk = await openNbd(peer.uri('köy 1'));
    assert.equal(disk.size, 512);
    assert.equal(disk.uri, `nbd+unix:///k%C3%B6y%201?socket=${peer.socket}`);
  });
});
