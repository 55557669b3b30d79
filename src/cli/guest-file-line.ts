import { type Inode, type InodeType, printablePath } from '../guestfs/index.ts';
import type { ListedFile } from './guest-file.ts';

const LETTERS: Readonly<Record<InodeType, string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p',
  socket: 's',
  unknown: '?',
};
const LINE_END = Buffer.from('\n');
const ARROW = Buffer.from(' -> ');

/**
 * A line about a file, as bytes: its path, and with `long` what `ls -l` tells before it.
 *
 * @param options.escape whether bytes that are not printable are told as `\n` or `\ooo`
 */
export async function guestFileLine(
  file: ListedFile,
  options: { readonly long: boolean; readonly escape: boolean },
): Promise<Buffer> {
  const shown = (path: Buffer): Buffer => (options.escape ? Buffer.from(printablePath(path)) : path);
  if (!options.long) return Buffer.concat([shown(file.path), LINE_END]);
  const target = await file.target();
  const pointing = target === null ? [] : [ARROW, shown(target)];
  return Buffer.concat([Buffer.from(columns(file.inode)), shown(file.path), ...pointing, LINE_END]);
}

function columns(inode: Inode): string {
  const { device } = inode;
  const size = device === null ? String(inode.size) : `${device.major}, ${device.minor}`;
  const time = new Date(Number(inode.mtime / 1_000_000n)).toISOString().replace(/\.\d+Z$/, 'Z');
  const owner = `${String(inode.uid).padStart(5)} ${String(inode.gid).padStart(5)}`;
  return `${modeText(inode)} ${String(inode.links).padStart(3)} ${owner} ${size.padStart(10)} ${time} `;
}

/** Type and permissions as `ls -l` shows them; setuid, setgid and the sticky bit stand in the place of x. */
function modeText({ type, mode }: Inode): string {
  const special = [
    [0o4000, 's'],
    [0o2000, 's'],
    [0o1000, 't'],
  ] as const;
  const parts = special.map(([bit, letter], at) => {
    const bits = mode >>> (6 - 3 * at);
    const runs = (bits & 1) !== 0;
    const last = (mode & bit) === 0 ? (runs ? 'x' : '-') : runs ? letter : letter.toUpperCase();
    return (bits & 4 ? 'r' : '-') + (bits & 2 ? 'w' : '-') + last;
  });
  return LETTERS[type] + parts.join('');
}
