import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { makeExtImage, whileMounted } from '../../../../test/support/ext-image.ts';
import { withGuestImage } from '../../../../test/support/open-guest-image.ts';
import { run, succeed } from '../../../../test/support/programs.ts';
import { noise } from '../../../../test/support/store-scene.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../../test/support/temporary.ts';
import { factsOfFolder, factsOfTree } from '../../../../test/support/tree-facts.ts';
import { openRawDisk } from '../../../disk/index.ts';
import type { FileSource, TreeChange } from '../../tree-change.ts';
import { writeExt } from '../write/write-ext.ts';

/** Makes a file system, works in it, and copies the image while it is mounted, as if the power had failed. */
async function crashedImage(
  folder: TemporaryFolder,
  options: readonly string[],
  mount: string,
): Promise<string> {
  const image = folder.join('image');
  const at = (name: string) => folder.join('mounted', name);
  await makeExtImage(image, 32 << 20, ['-t', 'ext4', '-m', '0', ...options]);
  await whileMounted(image, folder.join('mounted'), `rw,noatime${mount}`, async () => {
    await mkdir(at('gone'));
    for (let index = 0; index < 60; index += 1) await writeFile(at(`gone/${'g'.repeat(90)}${index}`), '');
    await succeed('sync', ['-f', at('.')]);
    // Blocks of directories that were logged go, and come back as content: they are revoked.
    await rm(at('gone'), { recursive: true });
    for (let index = 0; index < 40; index += 1) await writeFile(at(`kept-${index}`), noise(index, 3000));
    await writeFile(at('journalled'), Buffer.from('c03b3998'.repeat(2048), 'hex'));
    await rename(at('kept-1'), at('renamed'));
    await succeed('sync', ['-f', at('.')]);
    await mkdir(at('later'));
    await writeFile(at('later/file'), 'later');
    {
      await using file = await open(at('later/file'));
      await file.sync();
    }
    await writeFile(at('never-synced'), 'x');
    await copyFile(image, folder.join('crashed'), constants.COPYFILE_FICLONE);
  });
  return folder.join('crashed');
}

const CONTENT = Buffer.from(noise('new', 5000));

/** Writes a file `new` into the root as `calve cp` does. */
async function writeInto(image: string, folder: TemporaryFolder): Promise<void> {
  await using disk = await openRawDisk(image, { writable: true });
  await mkdir(folder.join('work'));
  const source: FileSource = {
    size: CONTENT.length,
    async *dataRuns() {
      yield { offset: 0, length: CONTENT.length };
    },
    async read(offset, into) {
      into.set(CONTENT.subarray(offset, offset + into.length));
    },
  };
  async function* changes(): AsyncGenerator<TreeChange> {
    const attributes = { mode: 0o644, uid: 0, gid: 0, atime: 0n, mtime: 0n };
    yield { kind: 'file', path: Buffer.from('new'), attributes, source };
  }
  await writeExt(disk, changes(), { folder: folder.join('work') });
}

const KINDS = {
  'checksums of version 3': { options: ['-b', '1024', '-O', '64bit'], mount: '' },
  'checksums of version 1, data in the journal too': {
    options: ['-b', '2048', '-O', '^metadata_csum,^64bit'],
    mount: ',journal_checksum,data=journal',
  },
};

for (const [name, { options, mount }] of Object.entries(KINDS)) {
  test(`what was not shut down reads as after e2fsck and as after a mount: ${name}`, async () => {
    await using folder = await temporaryFolder();
    const crashed = await crashedImage(folder, options, mount);
    const facts = await withGuestImage(crashed, async (tree) => {
      assert.ok(tree.replayedBlocks > 10, `${tree.replayedBlocks} blocks`);
      return factsOfTree(tree);
    });
    assert.ok('later/file' in facts && 'renamed' in facts && !('gone' in facts));

    await copyFile(crashed, folder.join('mended'));
    const mended = await run('e2fsck', ['-fy', folder.join('mended')]);
    assert.ok(mended.code === 0 || mended.code === 1, mended.stdout);
    const repaired = await withGuestImage(folder.join('mended'), async (tree) => {
      assert.equal(tree.replayedBlocks, 0);
      return factsOfTree(tree);
    });
    assert.deepEqual(facts, repaired);
    await copyFile(crashed, folder.join('written'));
    await writeInto(folder.join('written'), folder);
    await succeed('e2fsck', ['-fn', folder.join('written')]);
    const { new: made, ...others } = await withGuestImage(folder.join('written'), async (tree) => {
      assert.equal(tree.replayedBlocks, 0);
      return factsOfTree(tree);
    });
    assert.equal(made?.['size'], CONTENT.length);
    assert.deepEqual(others, facts, 'what was replayed is there');
    // A disk that cannot be written is not mounted while its journal has to be replayed.
    const truth = await whileMounted(crashed, folder.join('mounted'), 'rw,noatime', () =>
      factsOfFolder(folder.join('mounted'), { crtime: true }),
    );
    assert.deepEqual(facts, truth);
  });
}

/** Writes blocks of a file into the journal by debugfs; resolves to what e2fsck then makes of the block. */
async function withWrittenJournal(
  folder: TemporaryFolder,
  version: number,
  commands: readonly string[],
): Promise<void> {
  const image = folder.join('image');
  await makeExtImage(image, 16 << 20, ['-t', 'ext4', '-b', '1024', '-O', '64bit,metadata_csum']);
  await writeFile(folder.join('old'), 'o'.repeat(4096));
  await succeed('debugfs', ['-w', '-R', `write ${folder.join('old')} file`, image]);
  const [, first = ''] = /\(0-3\):(\d+)/.exec(await succeed('debugfs', ['-R', 'stat file', image])) ?? [];
  const magic = Buffer.alloc(1024, 'm');
  magic.write('c03b3998', 'hex');
  await writeFile(folder.join('magic'), magic);
  await writeFile(folder.join('new'), 'n'.repeat(2048));
  const filled = commands.map((line) =>
    line.replace(/\+(\d)/g, (_, more) => String(Number(first) + Number(more))),
  );
  const script = [`jo ${version === 0 ? '' : `-c -v ${version}`}`, ...filled, 'jc'].join('\n');
  const ran = await run('debugfs', ['-w', '-f', '-', image], { input: script, cwd: folder.path });
  assert.equal(ran.code, 0, ran.stderr);
}

for (const version of [0, 2, 3]) {
  test(`revokes and escaped blocks are replayed as e2fsck does, checksums of version ${version}`, async () => {
    await using folder = await temporaryFolder();
    await withWrittenJournal(folder, version, [
      'jw -b +0,+1 new',
      'jw -r +1',
      'jw -b +2 magic',
      'jw -b +3 magic',
      'jw -r +3',
    ]);
    const content = (image: string) =>
      withGuestImage(folder.join(image), async (tree) => {
        const bytes = Buffer.alloc(4096);
        await tree.read(await tree.lookup('file'), 0, bytes);
        return [tree.replayedBlocks, bytes.toString('latin1')];
      });
    const [replayed, seen = ''] = await content('image');
    assert.equal(replayed, 2);
    await copyFile(folder.join('image'), folder.join('mended'));
    await run('e2fsck', ['-fy', folder.join('mended')]);
    const [none, mended] = await content('mended');
    assert.equal(none, 0);
    assert.equal(seen, mended);
    assert.match(String(seen), /^n{1024}o{1024}\xc0\x3b\x39\x98m{1020}o{1024}$/);
  });
}

test('a harmed block of a committed transaction is an error that says so', async () => {
  await using folder = await temporaryFolder();
  await withWrittenJournal(folder, 3, ['jw -b +0,+1 new']);
  await using file = await open(folder.join('image'), 'r+');
  const { size } = await file.stat();
  const bytes = Buffer.alloc(size);
  await file.read(bytes, 0, size, 0);
  const at = bytes.indexOf('n'.repeat(1024));
  await file.write('x', at + 5);
  await assert.rejects(
    withGuestImage(folder.join('image'), async () => {}),
    {
      code: 'corrupt',
      message: /journal block \d+: a wrong checksum in transaction \d+, which was committed/,
    },
  );
});

test('a journal on another disk is refused by name', async () => {
  await using folder = await temporaryFolder();
  const image = folder.join('image');
  await makeExtImage(image, 8 << 20, ['-t', 'ext4', '-O', '^metadata_csum']);
  await succeed('debugfs', ['-w', '-R', 'ssv journal_inum 0', image]);
  await succeed('debugfs', ['-w', '-R', 'feature needs_recovery', image]);
  await assert.rejects(
    withGuestImage(image, async () => {}),
    { code: 'unsupported', message: /journal is on another disk/ },
  );
});
