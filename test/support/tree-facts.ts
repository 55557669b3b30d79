import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { aclText, type FileTree, type Inode, walkTree } from '../../src/guestfs/index.ts';
import { succeed } from './programs.ts';

/** What is known of a file, by its path with a byte a character. */
export type TreeFacts = Record<string, Record<string, unknown>>;

const ACCESS = 'system.posix_acl_access';

/** All that a file system shows of itself, as calve reads it. */
export async function factsOfTree(tree: FileTree): Promise<TreeFacts> {
  const facts: TreeFacts = {};
  const root = await tree.root();
  for await (const { path, inode } of walkTree(tree, root, { recursive: true })) {
    const attributes = await tree.xattrs(inode);
    facts[path.toString('latin1')] = {
      inode: inode.number,
      type: inode.type,
      mode: inode.mode,
      uid: inode.uid,
      gid: inode.gid,
      links: inode.links,
      size: inode.type === 'directory' ? 0 : inode.size,
      mtime: inode.mtime,
      ctime: inode.ctime,
      atime: inode.atime,
      crtime: inode.crtime,
      device: inode.device === null ? null : `${inode.device.major}:${inode.device.minor}`,
      target: inode.type === 'symlink' ? (await tree.readLink(inode)).toString('latin1') : null,
      sha256: inode.type === 'file' ? await hashOf(tree, inode) : null,
      attributes: Object.fromEntries(
        attributes
          .filter(({ name }) => name.toString().startsWith('user.'))
          .map(({ name, value }) => [name.toString(), value.toString('hex')])
          .sort(),
      ),
      acl: attributes.filter(({ name }) => name.toString() === ACCESS).map(({ value }) => aclText(value)),
    };
  }
  return facts;
}

/** The same of a folder, as the kernel shows it; of a mounted file system, its own truth. */
export async function factsOfFolder(
  folder: string,
  options: { readonly crtime: boolean },
): Promise<TreeFacts> {
  const facts: TreeFacts = {};
  const visit = async (below: Buffer): Promise<void> => {
    for (const name of await readdir(Buffer.concat([Buffer.from(`${folder}/`), below]), {
      encoding: 'buffer',
    })) {
      const path = Buffer.concat([below, name]);
      const full = Buffer.concat([Buffer.from(`${folder}/`), path]);
      const stat = await lstat(full, { bigint: true });
      const type = typeOf(stat);
      facts[path.toString('latin1')] = {
        inode: Number(stat.ino),
        type,
        mode: Number(stat.mode & 0o7777n),
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        links: Number(stat.nlink),
        size: type === 'directory' ? 0 : Number(stat.size),
        mtime: stat.mtimeNs,
        ctime: stat.ctimeNs,
        atime: stat.atimeNs,
        crtime: options.crtime ? stat.birthtimeNs : null,
        device: type.endsWith('-device') ? device(stat.rdev) : null,
        target: type === 'symlink' ? (await readlink(full, { encoding: 'buffer' })).toString('latin1') : null,
        sha256:
          type === 'file'
            ? createHash('sha256')
                .update(await readFile(full))
                .digest('hex')
            : null,
        attributes: {},
        acl: [],
      };
      if (type === 'directory') await visit(Buffer.concat([path, Buffer.from('/')]));
    }
  };
  await visit(Buffer.alloc(0));
  await addAttributes(folder, facts);
  return facts;
}

async function addAttributes(folder: string, facts: TreeFacts): Promise<void> {
  const dumped = await succeed('getfattr', ['-R', '-P', '-h', '-d', '-e', 'hex', '.'], { cwd: folder });
  for (const [, path = '', lines = ''] of dumped.matchAll(/^# file: (.*)\n((?:.+\n)+)/gm)) {
    const found = [...lines.matchAll(/^(.+?)(?:=0x([0-9a-f]*))?$/gm)].map(([, name = '', hex = '']) => [
      name,
      hex,
    ]);
    const fact = facts[unescaped(path)];
    if (fact !== undefined) fact['attributes'] = Object.fromEntries(found.sort());
  }
  const acls = await succeed('getfacl', ['-R', '-P', '-s', '-n', '-E', '.'], { cwd: folder });
  for (const [, path = '', lines = ''] of acls.matchAll(/^# file: (.*)\n((?:.+\n)+)/gm)) {
    const entries = lines.split('\n').filter((line) => line !== '' && !/^#|^default:/.test(line));
    const fact = facts[unescaped(path)];
    if (fact !== undefined && entries.some((entry) => entry.startsWith('mask')))
      fact['acl'] = [entries.join(',')];
  }
}

/** As a byte a character: what is no ASCII may have been printed as it is. */
function unescaped(path: string): string {
  return Buffer.from(path)
    .toString('latin1')
    .replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function typeOf(stat: import('node:fs').BigIntStats): string {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isSocket()) return 'socket';
  return stat.isBlockDevice() ? 'block-device' : 'character-device';
}

/** As glibc's makedev has them. */
function device(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  return `${major}:${minor}`;
}

/** Reads in pieces of an odd length, so that they begin and end anywhere in blocks. */
async function hashOf(tree: FileTree, inode: Inode): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(Math.min(777_777, inode.size));
  for (let at = 0; at < inode.size; ) {
    const length = await tree.read(inode, at, buffer);
    hash.update(buffer.subarray(0, length));
    at += length;
  }
  return hash.digest('hex');
}
