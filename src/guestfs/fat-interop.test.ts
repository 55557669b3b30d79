import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { makeFatImage, mtools } from '../../test/support/fat-image.ts';
import { withGuestImage } from '../../test/support/open-guest-image.ts';
import { noise } from '../../test/support/store-scene.ts';
import { LONG } from '../../test/support/suite.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { factsOfTree } from '../../test/support/tree-facts.ts';

const MiB = 1 << 20;
const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const source = folder.join('source');
await fillSource();

/** Names and contents of every length that matters; times of even seconds, as FAT has them. */
async function fillSource(): Promise<void> {
  await mkdir(`${source}/EFI/BOOT`, { recursive: true });
  await mkdir(`${source}/a longer name of a directory/deep`, { recursive: true });
  await mkdir(`${source}/many`);
  const files: Record<string, Buffer> = {
    'EFI/BOOT/BOOTX64.EFI': noise('loader', 100_001),
    'EMPTY.TXT': Buffer.alloc(0),
    'lower.txt': Buffer.from('lower'),
    'Mixed Case.Text': noise('mixed', 4096),
    'a longer name of a directory/deep/ünïcode ☃.bin': noise('unicode', 512),
    'thirteen.char': noise('13', 513),
    [`${'n'.repeat(251)}.bin`]: noise('long', 1),
    'a.tar.gz': noise('tar', 70_000),
    noextension: noise('x', 1023),
  };
  for (let index = 0; index < 60; index += 1) {
    files[`many/file number ${index}`] = Buffer.from(String(index));
  }
  for (const [path, content] of Object.entries(files)) {
    await writeFile(`${source}/${path}`, content);
    const seconds = 1_700_000_000 + 2 * content.length;
    await utimes(`${source}/${path}`, seconds, seconds);
  }
}

const KINDS: readonly (readonly [name: string, size: number, options: readonly string[], long?: true])[] = [
  ['FAT12, clusters of 512 bytes', 1 * MiB, ['-F', '12', '-s', '1']],
  ['FAT12, clusters of 8 KiB, one FAT', 8 * MiB, ['-F', '12', '-s', '16', '-f', '1'], true],
  ['FAT16, clusters of 2 KiB', 16 * MiB, ['-F', '16', '-s', '4'], true],
  ['FAT16, sectors of 4 KiB', 32 * MiB, ['-F', '16', '-S', '4096', '-s', '1'], true],
  ['FAT32, clusters of 1 KiB', 70 * MiB, ['-F', '32', '-s', '2'], true],
  ['FAT32, sectors of 4 KiB', 300 * MiB, ['-F', '32', '-S', '4096', '-s', '1']],
  ['FAT32 as mkfs.fat makes it', 300 * MiB, ['-F', '32'], true],
];

for (const [name, size, options, long] of KINDS) {
  if (long && !LONG) continue;
  test(`what mtools wrote reads as it was: ${name}`, async () => {
    const image = folder.join('image');
    await makeFatImage(image, size, options);
    // Room between files, which a later one fills in pieces.
    await mtools('mcopy', image, '-m', `${source}/a.tar.gz`, '::gap1');
    await mtools('mcopy', image, '-m', `${source}/thirteen.char`, '::KEPT');
    await mtools('mdel', image, '::gap1');
    await mtools(
      'mcopy',
      image,
      '-s',
      '-m',
      ...(await readdir(source)).sort().map((each) => `${source}/${each}`),
      '::',
    );
    await mtools('mattrib', image, '+r', '::EMPTY.TXT');
    const facts = await withGuestImage(image, factsOfTree);
    const { KEPT, ...rest } = facts;
    assert.equal(KEPT?.['size'], 513);
    assert.deepEqual(brief(rest), await truth());
    assert.equal(facts['EMPTY.TXT']?.['mode'], 0o555);
    assert.equal(facts['EFI']?.['mode'], 0o755);
    const numbers = Object.values(facts).map(({ inode }) => inode);
    assert.equal(new Set(numbers).size, numbers.length);
  });
}

type Brief = Record<string, readonly [type: unknown, size: unknown, mtime: unknown, sha256: unknown]>;

function brief(facts: Awaited<ReturnType<typeof factsOfTree>>): Brief {
  return Object.fromEntries(
    Object.entries(facts)
      .map(
        ([path, { type, size, mtime, sha256 }]) =>
          [path, [type, size, type === 'file' ? mtime : null, sha256]] as const,
      )
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

async function truth(): Promise<Brief> {
  const found: [string, Brief[string]][] = [];
  for (const path of await readdir(source, { recursive: true })) {
    const { size, mtimeNs } = await stat(`${source}/${path}`, { bigint: true });
    const key = Buffer.from(path).toString('latin1');
    const isFile = (await stat(`${source}/${path}`)).isFile();
    const hash = isFile
      ? createHash('sha256')
          .update(await readFile(`${source}/${path}`))
          .digest('hex')
      : null;
    found.push([
      key,
      [isFile ? 'file' : 'directory', isFile ? Number(size) : 0, isFile ? mtimeNs : null, hash],
    ]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}
