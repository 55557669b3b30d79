import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { report, run, succeed } from '../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuIo } from '../../test/support/qemu.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { MemoryDisk } from '../disk/index.ts';
import { CalveError, type ErrorCode } from '../errors/index.ts';
import type { HostFile } from '../host/index.ts';
import {
  type BackingPolicy,
  createQcow2,
  denyBacking,
  type EmptyImageOptions,
  followBacking,
  openQcow2,
} from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let names = 0;
const fresh = (): string => {
  names += 1;
  return folder.join(`${names}.qcow2`);
};

async function image(options: Partial<EmptyImageOptions> = {}): Promise<string> {
  const path = fresh();
  await createQcow2(path, { size: 1024 ** 2, ...options });
  return path;
}

/** An image whose header was tampered with. */
async function tampered(
  at: number,
  value: bigint,
  options: Partial<EmptyImageOptions> = {},
): Promise<string> {
  const path = await image(options);
  const bytes = await readFile(path);
  bytes.writeBigUInt64BE(value, at);
  await writeFile(path, bytes);
  return path;
}

const INCOMPATIBLE = 72;
const AUTOCLEAR = 88;
const backing = denyBacking;
const is = (code: ErrorCode, message: RegExp, hint?: string) => (error: unknown) => {
  assert.ok(CalveError.is(error, code), `expected ${code}, got ${error}`);
  assert.match(error.message, message);
  if (hint !== undefined) assert.equal(error.hint, hint);
  return true;
};

describe('opening an image', () => {
  it('trap 3: refuses an unknown incompatible bit before it writes anything', async () => {
    const path = await tampered(INCOMPATIBLE, 1n << 20n);
    const bytes = await readFile(path);
    bytes.writeBigUInt64BE(1n << 40n, AUTOCLEAR);
    await writeFile(path, bytes);
    await assert.rejects(openQcow2(path, { writable: true, backing }), is('unsupported', /bit 20/));
    assert.ok((await readFile(path)).equals(bytes));
  });

  it('traps 4 and 5: clears the autoclear bits when it is going to write, and changes no other byte', async () => {
    const path = await tampered(AUTOCLEAR, (1n << 63n) | (1n << 9n));
    const before = await readFile(path);
    // An unknown extension in place of the feature name table.
    before.writeUInt32BE(0x0badcafe, 112);
    await writeFile(path, before);
    await (await openQcow2(path, { backing })).close();
    assert.ok((await readFile(path)).equals(before));
    await (await openQcow2(path, { writable: true, backing })).close();
    before.writeBigUInt64BE(0n, AUTOCLEAR);
    assert.ok((await readFile(path)).equals(before));
  });

  it('trap 32: leaves bitmaps alone that somebody did not keep up, and gives none of their clusters to guests', async () => {
    const path = await image();
    await succeed('qemu-img', ['bitmap', '--add', '-f', 'qcow2', path, 'b0']);
    await qemuIo(path, ['write -P 1 0 512k']);
    const outdated = await readFile(path);
    outdated.writeBigUInt64BE(0n, AUTOCLEAR);
    await writeFile(path, outdated);
    const disk = await openQcow2(path, { writable: true, backing });
    assert.deepEqual(disk.bitmaps(), []);
    await disk.write(Buffer.alloc(400_000, 2), 600_000);
    await disk.close();
    assert.equal((await readFile(path)).readBigUInt64BE(AUTOCLEAR), 0n);
    // QEMU counts an inconsistent bitmap's clusters as leaked: a write onto one of them would be a corruption.
    const checked = await run('qemu-img', ['check', path]);
    assert.equal(checked.code, 3, report(checked));
    assert.match(checked.stderr, /bitmaps are now considered inconsistent/);
    await succeed('qemu-img', ['check', '-r', 'leaks', path]);
    await qemuImgCheck(path);
    // The extension may still name clusters that are somebody else's by now.
    const again = await openQcow2(path, { writable: true, backing });
    await again.write(Buffer.alloc(700_000, 3), 0);
    await again.close();
    await (await openQcow2(path, { writable: true, backing })).close();
    await qemuImgCheck(path);
  });

  it('trap 10: reads an image that is marked corrupt with a warning, and writes none', async () => {
    const path = await tampered(INCOMPATIBLE, 2n);
    const disk = await openQcow2(path, { backing });
    assert.match(disk.warnings.join(), /marked corrupt/);
    await disk.close();
    const hint = `qemu-img check -r all ${path}`;
    await assert.rejects(openQcow2(path, { writable: true, backing }), is('corrupt', /marked corrupt/, hint));
  });

  it('trap 10: reads an image that is dirty as it is, and repairs it before it writes', async () => {
    const path = await tampered(INCOMPATIBLE, 1n);
    const before = await readFile(path);
    const disk = await openQcow2(path, { backing });
    assert.deepEqual(disk.warnings, []);
    await disk.close();
    assert.ok((await readFile(path)).equals(before));
    const writable = await openQcow2(path, { writable: true, backing });
    assert.match(writable.warnings.join(), /was not closed: its refcounts were rebuilt/);
    assert.ok(!writable.header.incompatible.has('dirty'));
    await writable.close();
  });

  it('refuses an encrypted image for which there is no passphrase', async () => {
    const encrypted = await image();
    const bytes = await readFile(encrypted);
    bytes.writeUInt32BE(2, 32);
    await writeFile(encrypted, bytes);
    await assert.rejects(openQcow2(encrypted, { backing }), is('denied', /expected a passphrase/));
  });

  it('names the file, the field and the value when a header is wrong', async () => {
    const path = await tampered(24, 2n ** 60n);
    await assert.rejects(
      openQcow2(path, { backing }),
      is('invalid', new RegExp(`^${path}: size: .*got 1152921504606846976`)),
    );
  });

  it('says of a file that is missing, empty, or no image, what it is', async () => {
    await assert.rejects(openQcow2(folder.join('nothing'), { backing }), is('not-found', /nothing/));
    const path = fresh();
    await writeFile(path, '');
    await assert.rejects(openQcow2(path, { backing }), is('invalid', /72 bytes, got 0/));
    await writeFile(path, 'x'.repeat(100_000));
    await assert.rejects(openQcow2(path, { backing }), is('invalid', /magic/));
  });

  it('writes no image that was opened for reading', async () => {
    await using disk = await openQcow2(await image(), { backing });
    await assert.rejects(disk.write(Buffer.alloc(512), 0), is('denied', /opened for reading/));
    await assert.rejects(disk.flush(), is('denied', /opened for reading/));
  });
});

describe('the lock of an open image', () => {
  it('keeps QEMU from writing while calve reads or writes, and is gone afterwards', async () => {
    const path = await image();
    for (const writable of [false, true]) {
      const disk = await openQcow2(path, { writable, backing });
      const ran = await run('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512', path]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, /lock/);
      await disk.close();
    }
    await qemuIo(path, ['write 0 512']);
  });

  it('keeps calve out while QEMU has the image open, and names QEMU', async () => {
    const path = await image();
    await using held = await holdInQemuIo(path);
    for (const writable of [false, true]) {
      await assert.rejects(
        openQcow2(path, { writable, backing }),
        is('in-use', new RegExp(`qemu-io \\(pid ${held.pid}\\)`)),
      );
    }
    await (await openQcow2(path, { lock: false, backing })).close();
  });

  it('lets readers share an image, and is gone after an opening that failed', async () => {
    const path = await image({ backingFile: 'none', backingFormat: 'raw' });
    await assert.rejects(openQcow2(path, { writable: true, backing }), is('denied', /not followed/));
    const none: BackingPolicy = async () => null;
    await using one = await openQcow2(path, { backing: none });
    await using two = await openQcow2(path, { backing: none });
    assert.equal(one.size, two.size);
  });
});

describe('a backing file', () => {
  const over = (backingFile: string, backingFormat = 'qcow2') => image({ backingFile, backingFormat });

  it('trap 11: is not followed because the image says so', async () => {
    const path = await over('/etc/passwd', 'raw');
    await assert.rejects(openQcow2(path, { backing }), is('denied', /"\/etc\/passwd" is not followed/));
  });

  it('trap 11: is what the policy makes of it; null reads zeros', async () => {
    const path = await over('some/name', 'raw');
    const asked: unknown[] = [];
    const below = new MemoryDisk(4096);
    await below.write(Buffer.alloc(4096, 0x42), 0);
    const disk = await openQcow2(path, {
      backing: async ({ chain: _, ...request }) => {
        asked.push(request);
        return below;
      },
    });
    assert.deepEqual(asked, [
      { imagePath: path, backingFile: 'some/name', backingFormat: 'raw', depth: 1, ancestors: [path] },
    ]);
    const sector = Buffer.alloc(8192);
    await disk.read(sector, 0);
    assert.deepEqual(sector, Buffer.concat([Buffer.alloc(4096, 0x42), Buffer.alloc(4096)]));
    await disk.close();
    await assert.rejects(below.read(sector, 0), is('closed', /closed/));
    await using alone = await openQcow2(path, { backing: async () => null });
    await alone.read(sector, 0);
    assert.deepEqual(sector, Buffer.alloc(8192));
  });

  for (const name of ['json:{"driver":"file","filename":"x"}', 'nbd://host/x', 'file:base', 'http://x/y']) {
    it(`trap 11: is never taken for more than a file: ${name}`, async () => {
      const path = await over(name, 'raw');
      await assert.rejects(openQcow2(path, { backing: followBacking() }), is('denied', /expected a file/));
    });
  }

  it('trap 12: is not probed when its format is missing or none that is known', async () => {
    const path = await over('base', 'vmdk');
    await assert.rejects(openQcow2(path, { backing: followBacking() }), is('unsupported', /"vmdk"/));
    const bytes = await readFile(path);
    bytes.writeUInt32BE(0x0badcafe, 112);
    await writeFile(path, bytes);
    const hint = `qemu-img rebase -u -F FORMAT -b "base" ${path}`;
    await assert.rejects(
      openQcow2(path, { backing: followBacking() }),
      is('denied', /format .* is not given/, hint),
    );
  });

  it('trap 12: is looked for from the folder of the image that names it', async () => {
    await mkdir(folder.join('deep'));
    const base = folder.join('deep', 'base.qcow2');
    await createQcow2(base, { size: 1024 ** 2 });
    const path = await over('deep/base.qcow2');
    await using disk = await openQcow2(path, { backing: followBacking() });
    assert.equal(disk.backing?.size, 1024 ** 2);
    await symlink(path, folder.join('deep', 'link.qcow2'));
    const linked = openQcow2(folder.join('deep', 'link.qcow2'), { backing: followBacking() });
    await assert.rejects(linked, is('not-found', /deep\/deep\/base.qcow2/));
  });

  it('is named, with the image that wants it, when it is not there', async () => {
    const path = await over('moved.qcow2');
    await assert.rejects(openQcow2(path, { backing: followBacking() }), (error) => {
      assert.ok(is('not-found', new RegExp(`^${path}: its backing file is not at .*moved.qcow2`))(error));
      return CalveError.is(error) && /qemu-img rebase -u -F qcow2/.test(error.hint ?? '');
    });
  });

  it('trap 12: that leads back to an image above is refused, with the whole way printed', async () => {
    const [a, b, c] = [folder.join('a.qcow2'), folder.join('b.qcow2'), folder.join('c.qcow2')];
    const size = 1024 ** 2;
    await createQcow2(a, { size, backingFile: 'b.qcow2', backingFormat: 'qcow2' });
    await createQcow2(b, { size, backingFile: 'c.qcow2', backingFormat: 'qcow2' });
    await createQcow2(c, { size, backingFile: './b.qcow2', backingFormat: 'qcow2' });
    for (const writable of [true, false]) {
      const opening = openQcow2(a, { writable, backing: followBacking() });
      await assert.rejects(opening, is('invalid', new RegExp(`cycle: ${b} -> ${c} -> ${b}$`)));
    }
  });

  it('trap 12: lies at most so deep', async () => {
    const size = 1024 ** 2;
    await createQcow2(folder.join('d0.qcow2'), { size, sync: false });
    for (let depth = 1; depth < 5; depth += 1) {
      const backingFile = `d${depth - 1}.qcow2`;
      await createQcow2(folder.join(`d${depth}.qcow2`), {
        size,
        backingFile,
        backingFormat: 'qcow2',
        sync: false,
      });
    }
    const top = folder.join('d4.qcow2');
    await (await openQcow2(top, { backing: followBacking(), maxDepth: 5 })).close();
    const tooDeep = openQcow2(top, { backing: followBacking(), maxDepth: 4 });
    await assert.rejects(tooDeep, is('invalid', /at most 4 images/));
  });
});

it('a file that is not admitted is not read, and is closed', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('not-qcow2');
  await writeFile(path, 'anything');
  let admitted: HostFile | undefined;
  const admit = (file: HostFile): void => {
    admitted = file;
    throw new CalveError('changed', 'not this one');
  };
  await assert.rejects(openQcow2(path, { backing: denyBacking, admit }), /not this one/);
  assert.equal(admitted?.path, path);
  assert.ok(admitted.closed);
});
