import { CalveError } from '../../../errors/index.ts';
import type { HostFile } from '../../../host/index.ts';
import type { ExtendedAttribute } from '../../file-tree.ts';
import type { Inode } from '../../inode.ts';
import { printablePath } from '../../printable-path.ts';
import type { FileSource, TreeChange } from '../../tree-change.ts';
import type { ExtTree } from '../ext-tree.ts';
import type { ExtScratch } from './ext-scratch.ts';
import { keptTime } from './patch-inode.ts';

/** Something that debugfs made. */
export interface Created {
  readonly change: Exclude<TreeChange, { kind: 'remove' | 'link' }>;
  /** The path of the directory that it lies in. */
  readonly directory: string;
  /** The name that it has there for now. */
  readonly as: Buffer;
  /** The attributes that it was given. */
  readonly xattrs: readonly ExtendedAttribute[];
}

/** What is known of what was made. */
export interface CreatedFacts {
  /** The inode of each. */
  readonly numbers: readonly number[];
  /** How many names each inode has that may have several. */
  readonly names: ReadonlyMap<number, number>;
  readonly signal: AbortSignal | undefined;
}

const PIECE = 1 << 20;

/**
 * Reads what debugfs made, as any reader of the file system would, and compares it with what was wanted.
 * @throws CalveError `invalid` when a source has changed since; `io` for whatever else differs; `aborted`
 */
export async function verifyCreated(
  scratch: ExtScratch,
  created: readonly Created[],
  { numbers, names, signal }: CreatedFacts,
): Promise<void> {
  const buffers = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)] as const;
  await using file = await scratch.openFile();
  await using view = await scratch.open();
  for (const [at, { change, xattrs }] of created.entries()) {
    if (signal?.aborted === true) throw new CalveError('aborted', 'writing the file system was ended');
    const { tree } = view;
    const inode = await tree.stat(numbers[at] ?? 0);
    if (inode.type !== change.kind) throw differs(change, 'type', change.kind, inode.type);
    if (xattrs.length > 0) await verifyXattrs(tree, inode, change, xattrs);
    if (change.kind === 'directory') continue;
    await verifyAttributes(tree, file, inode, change, names.get(inode.number) ?? 1);
    if (change.kind === 'symlink') {
      const target = await tree.readLink(inode);
      if (!target.equals(change.target)) {
        throw differs(change, 'target', printablePath(change.target), printablePath(target));
      }
    } else await verifyContent(tree, inode, change, buffers);
  }
}

async function verifyAttributes(
  tree: ExtTree,
  file: HostFile,
  inode: Inode,
  change: Created['change'],
  names: number,
): Promise<void> {
  const { attributes } = change;
  const { offset, length } = await tree.inodeRange(inode.number);
  const bytes = Buffer.alloc(length);
  file.readSync(bytes, offset);
  const wanted: readonly (readonly [string, number | bigint, number | bigint])[] = [
    ['mode', change.kind === 'file' ? attributes.mode : inode.mode, inode.mode],
    ['owner', attributes.uid, inode.uid],
    ['group', attributes.gid, inode.gid],
    ['atime', keptTime(bytes, attributes.atime, 0x8c), inode.atime],
    ['mtime', keptTime(bytes, attributes.mtime, 0x88), inode.mtime],
    ['names', names, inode.links],
  ];
  for (const [field, expected, got] of wanted)
    if (expected !== got) throw differs(change, field, expected, got);
}

async function verifyXattrs(
  tree: ExtTree,
  inode: Inode,
  change: Created['change'],
  wanted: readonly ExtendedAttribute[],
): Promise<void> {
  const there = new Map(
    (await tree.xattrs(inode)).map(({ name, value }) => [name.toString('latin1'), value]),
  );
  for (const { name, value } of wanted) {
    const got = there.get(name.toString('latin1'));
    if (got?.equals(value) === true) continue;
    const told = got === undefined ? 'none' : `${got.length} other bytes`;
    throw differs(change, `attribute ${printablePath(name)}`, `${value.length} bytes`, told);
  }
}

async function verifyContent(
  tree: ExtTree,
  inode: Inode,
  change: Extract<Created['change'], { kind: 'file' }>,
  [wanted, there]: readonly [Buffer, Buffer],
): Promise<void> {
  const { source } = change;
  if (inode.size !== source.size) throw changedMeanwhile(change);
  await using opened = source.openFile?.() ?? null;
  const read = opened === null ? source.read.bind(source) : readOf(opened);
  for await (const { offset, length } of source.dataRuns()) {
    for (let at = 0; at < length; at += PIECE) {
      const size = Math.min(PIECE, length - at);
      await read(offset + at, wanted.subarray(0, size));
      await tree.read(inode, offset + at, there.subarray(0, size));
      if (wanted.compare(there, 0, size, 0, size) !== 0) throw changedMeanwhile(change);
    }
  }
}

function readOf(file: HostFile): FileSource['read'] {
  return async (offset, into) => {
    file.readSync(into, offset);
  };
}

function changedMeanwhile({ path }: Created['change']): CalveError {
  return new CalveError(
    'invalid',
    `the file for ${printablePath(path)} changed while it was copied; nothing was written`,
    {
      hint: 'copy it when nobody writes to it',
    },
  );
}

function differs(
  { path }: Created['change'],
  field: string,
  expected: string | number | bigint,
  got: string | number | bigint,
): CalveError {
  return new CalveError('io', `${printablePath(path)}: ${field}: expected ${expected}, debugfs wrote ${got}`);
}
