import { formatBytes } from '../../bytes/index.ts';
import { printablePath } from '../../guestfs/index.ts';
import type { ChangedAspect, DiskDifference, FileFacts } from '../../store/index.ts';

const LETTERS = { added: 'A', modified: 'M', deleted: 'D', renamed: 'R' } as const;
const SLASH = Buffer.from('/');
const LINE_END = Buffer.from('\n');

/** How a line looks. */
export interface LineOptions {
  /** Whether bytes that are not printable are told as `\n` or `\ooo`. */
  readonly escape: boolean;
  /** Letter and names alone, with tabs between, as git's `--name-status` has them. */
  readonly nameStatus?: boolean;
}

/**
 * A line about something that differs, as bytes: `M     12 KiB /etc/passwd (content, was 11 KiB)`. A path is led by its
 * partition or logical volume where there are several: `2:/etc/passwd`, `debian/root:/etc/passwd`.
 */
export function differenceLine(difference: DiskDifference, options: LineOptions): Buffer {
  if (difference.what !== 'file') {
    const letter = difference.what === 'blocks' ? 'M' : LETTERS[difference.kind];
    const said = difference.what === 'blocks' ? `(blocks; ${difference.reason})` : '(a whole partition)';
    const { description } = difference.volume;
    const words =
      options.nameStatus === true
        ? `${letter}\t${description}`
        : `${columns(letter, difference.bytes)}${description} ${said}`;
    return Buffer.from(`${words}\n`);
  }
  const { volume, change } = difference;
  const { kind, path, oldPath, before, after, aspects } = change;
  const partition = Buffer.from(volume.isOnly ? '' : `${volume.logicalVolume ?? volume.number}:`);
  const shown = (at: Buffer): Buffer =>
    Buffer.concat([partition, SLASH, options.escape ? Buffer.from(printablePath(at)) : at]);
  const names = oldPath !== null && kind === 'renamed' ? [oldPath, path] : [path];
  const [separator, lead] = options.nameStatus === true ? ['\t', `${LETTERS[kind]}\t`] : [' -> ', ''];
  const joined = names.flatMap((name, at) =>
    at === 0 ? [shown(name)] : [Buffer.from(separator), shown(name)],
  );
  if (options.nameStatus === true) return Buffer.concat([Buffer.from(lead), ...joined, LINE_END]);
  const facts = after ?? before;
  const size = facts === null || facts.type === 'directory' ? null : facts.size;
  const end = facts?.type === 'directory' && path.length > 0 ? SLASH : Buffer.alloc(0);
  const details =
    before === null || after === null ? [] : aspects.map((aspect) => detail(aspect, before, after));
  const said = details.length === 0 ? '' : ` (${details.join(', ')})`;
  return Buffer.concat([Buffer.from(columns(LETTERS[kind], size)), ...joined, end, Buffer.from(`${said}\n`)]);
}

function columns(letter: string, size: number | null): string {
  return `${letter} ${(size === null ? '-' : formatBytes(size)).padStart(10)} `;
}

/** What a change touches, with what it was where that is short. */
function detail(aspect: ChangedAspect, before: FileFacts, after: FileFacts): string {
  if (aspect === 'type') return `was a ${before.type}`;
  if (aspect === 'content')
    return before.size === after.size ? 'content' : `content, was ${formatBytes(before.size)}`;
  if (aspect === 'mode') return `mode ${octal(before.mode)} -> ${octal(after.mode)}`;
  if (aspect === 'owner') return `owner ${before.uid}:${before.gid} -> ${after.uid}:${after.gid}`;
  return aspect;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
