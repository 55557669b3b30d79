import { readdirSync, statSync } from 'node:fs';
import {
  chmod,
  chown,
  cp,
  link,
  lstat,
  mkdir,
  open,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { succeed } from './programs.ts';
import { noise } from './store-scene.ts';

type Random = () => number;

/** One change of a file tree, at random places of it. Takes root. */
type Change = (tree: Folder, random: Random, number: number) => Promise<void>;

class Folder {
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }

  /** A file or directory of the tree, by Node's own listing. */
  pick(random: Random, kind: 'file' | 'directory'): string {
    const found = readdirSync(this.path, { recursive: true, withFileTypes: true })
      .filter((entry) =>
        kind === 'file' ? entry.isFile() : entry.isDirectory() && entry.name !== 'lost+found',
      )
      .map((entry) => `${entry.parentPath}/${entry.name}`)
      // Names that are no UTF-8 do not come back whole.
      .filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined)
      .sort();
    return found[Math.floor(random() * found.length)] ?? this.path;
  }
}

const CHANGES: readonly Change[] = [
  async (tree, random, number) =>
    writeFile(
      `${tree.pick(random, 'directory')}/new-${number}`,
      noise(number, 1 + Math.floor(random() * 20_000)),
    ),
  async (tree, random) => writeFile(tree.pick(random, 'file'), noise('other', Math.floor(random() * 9000))),
  // In place, with the size and the time that it had.
  async (tree, random) => {
    const path = tree.pick(random, 'file');
    const { size, atime, mtime } = await lstat(path);
    if (size === 0) return;
    await using file = await open(path, 'r+');
    const at = Math.floor(random() * size);
    await file.write(Buffer.from('!'), 0, 1, at);
    await file.utimes(atime, mtime);
  },
  async (tree, random) => rm(tree.pick(random, 'file')),
  async (tree, random) => rm(tree.pick(random, 'directory'), { recursive: true }),
  async (tree, random, number) => {
    await mkdir(`${tree.path}/moved-here`, { recursive: true });
    await rename(tree.pick(random, 'file'), `${tree.path}/moved-here/${number}`);
  },
  async (tree, random, number) => {
    const from = tree.pick(random, 'directory');
    if (from !== tree.path) await rename(from, `${tree.path}/renamed-${number}`);
  },
  async (tree, random) => chmod(tree.pick(random, 'file'), Math.floor(random() * 0o10000)),
  async (tree, random) => chown(tree.pick(random, 'directory'), Math.floor(random() * 100_000), 7),
  async (tree, random) => utimes(tree.pick(random, 'file'), 1_000_000_000, random() * 2_000_000_000),
  async (tree, random, number) => {
    await succeed('setfattr', [
      '-n',
      'user.changed',
      '-v',
      'w'.repeat(1 + number * 3),
      tree.pick(random, 'file'),
    ]);
  },
  async (tree, random, number) => {
    const path = tree.pick(random, 'file');
    await rm(path);
    await symlink(`target-${number}`, path);
  },
  async (tree, random, number) => {
    const path = tree.pick(random, 'file');
    await rm(path);
    await mkdir(path);
    await writeFile(`${path}/inside`, String(number));
  },
  async (tree, random, number) => link(tree.pick(random, 'file'), `${tree.path}/linked-${number}`),
  async (tree, random) => truncate(tree.pick(random, 'file'), Math.floor(random() * 3_000_000)),
  async (tree, random, number) => {
    await cp(tree.pick(random, 'file'), `${tree.path}/copied-${number}`, { preserveTimestamps: true });
  },
];

/** Changes a mounted file system at random: what is there, where it is, and what is told of it. */
export async function changeFolder(path: string, random: Random, count: number): Promise<void> {
  const tree = new Folder(path);
  for (let number = 1; number <= count; number += 1) {
    const change = CHANGES[Math.floor(random() * CHANGES.length)];
    await change?.(tree, random, number);
  }
}
