import { CalveError } from '../../errors/index.ts';
import { checkPathLength } from '../check-path-length.ts';
import type { Inode } from '../inode.ts';
import { compareInodes } from './compare-inodes.ts';
import { type FileChange, factsOf } from './file-change.ts';
import { type NamePair, pairNames } from './pair-names.ts';
import type { TreePair } from './tree-pair.ts';

/** A file that both sides have under one path, or one of them: what is there. */
export interface InodePair {
  readonly before: Inode | undefined;
  readonly after: Inode | undefined;
}

/** How trees are compared. */
export interface CompareOptions {
  readonly signal?: AbortSignal | undefined;
}

interface Frame {
  /** With a slash at its end, but for the root's. */
  readonly prefix: string;
  readonly names: AsyncGenerator<NamePair>;
}

/**
 * The files below a path that differ, and the path's own file: directories ahead of what is in them, names by their
 * bytes. A path that has become another is told as deleted and added. What may not differ is not read, but for the
 * names: an unchanged directory is listed once, an unchanged file not looked at.
 *
 * @param start what the path leads to
 * @param path the path, with a byte a character, without a slash before it
 * @throws CalveError `corrupt`, also when a directory is met twice; `unsupported`; `aborted`; what the trees throw
 */
export async function* compareTrees(
  trees: TreePair,
  start: InodePair,
  path: string,
  options: CompareOptions = {},
): AsyncGenerator<FileChange> {
  const walk = new Walk(trees, options);
  yield* walk.visit(path, start);
  for (let frame = walk.frames.at(-1); frame !== undefined; frame = walk.frames.at(-1)) {
    options.signal?.throwIfAborted();
    const next = await frame.names.next();
    if (next.done === true) {
      walk.frames.pop();
      continue;
    }
    const { name, before, after } = next.value;
    const below = frame.prefix + name;
    if (before === after && after !== undefined) {
      const untouched = await walk.untouched(after);
      if (untouched !== undefined) {
        if (untouched.type === 'directory') walk.enter(below, untouched, untouched, true);
        continue;
      }
    }
    yield* walk.visit(below, {
      before: before === undefined ? undefined : await trees.before.stat(before),
      after: after === undefined ? undefined : await trees.after.stat(after),
    });
  }
}

/** Where two trees are being compared. */
class Walk {
  /** The directories on the way down, what is left of each. */
  readonly frames: Frame[] = [];
  readonly #trees: TreePair;
  readonly #options: CompareOptions;
  readonly #seen = { before: new Set<number>(), after: new Set<number>() };

  constructor(trees: TreePair, options: CompareOptions) {
    this.#trees = trees;
    this.#options = options;
  }

  /** The inode of this number, if it is the same on both sides, with all that is told of it. */
  async untouched(number: number): Promise<Inode | undefined> {
    const { before, after, mayDiffer, sameNumbers } = this.#trees;
    if (mayDiffer === undefined || !sameNumbers || after.statUntouched === undefined) return undefined;
    const [old, now] = [await before.inodeRange?.(number), await after.inodeRange?.(number)];
    if (old === undefined || now === undefined) return undefined;
    if (old.offset !== now.offset || old.length !== now.length) return undefined;
    return after.statUntouched(number, mayDiffer);
  }

  /** Tells how a file differs, and goes into directories. */
  async *visit(path: string, { before, after }: InodePair): AsyncGenerator<FileChange> {
    const facts = {
      path: Buffer.from(path, 'latin1'),
      oldPath: null,
      before: before === undefined ? null : factsOf(before),
      after: after === undefined ? null : factsOf(after),
      aspects: [],
    };
    if (before === undefined || after === undefined) {
      if (before !== undefined || after !== undefined)
        yield { ...facts, kind: before === undefined ? 'added' : 'deleted' };
    } else {
      const aspects = await compareInodes(this.#trees, before, after, this.#options);
      if (aspects.length > 0) yield { ...facts, kind: 'modified', aspects };
    }
    this.enter(path, directory(before), directory(after), false);
  }

  enter(path: string, before: Inode | undefined, after: Inode | undefined, unchanged: boolean): void {
    if (before === undefined && after === undefined) return;
    checkPathLength(path.length);
    this.#meet('before', before);
    this.#meet('after', after);
    const left =
      before === undefined || unchanged ? undefined : { tree: this.#trees.before, directory: before };
    const right = after === undefined ? undefined : { tree: this.#trees.after, directory: after };
    this.frames.push({
      prefix: path === '' ? '' : `${path}/`,
      names: pairNames(left, right, { unchanged }),
    });
  }

  #meet(side: 'before' | 'after', inode: Inode | undefined): void {
    if (inode === undefined) return;
    if (this.#seen[side].has(inode.number)) {
      throw new CalveError('corrupt', `directory ${inode.number} has several names, as no directory may`);
    }
    this.#seen[side].add(inode.number);
  }
}

function directory(inode: Inode | undefined): Inode | undefined {
  return inode?.type === 'directory' ? inode : undefined;
}
