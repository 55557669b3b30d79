import { findDifference, type Range } from '../../../img/index.ts';
import { isOneFile } from '../comparing/is-one-file.ts';
import { type PairedAllocation, pairedAllocations } from '../comparing/paired-allocations.ts';
import type { ImgCommand, ImgContext } from '../img-context.ts';
import { failingWith, usageError } from '../img-error.ts';
import { type Allocation, merged } from '../mapping/allocation.ts';
import { mapNode } from '../mapping/map-node.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { openImage } from '../opening/open-image.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';
import { type ProgressLine, progressLine } from '../printing/progress-line.ts';

const OPTIONS = {
  short: {
    f: 'format:',
    F: 'otherFormat:',
    T: 'cache:',
    p: 'progress',
    q: 'quiet',
    s: 'strict',
    U: 'forceShare',
  },
  long: { object: 'object:', 'image-opts': 'imageOptions', 'force-share': 'forceShare' },
} as const;

/** Neither alike nor different: it could not be told. */
const NOT_COMPARED = 2;
/** Percent that are worth saying. */
const PROGRESS_STEP = 2;

/** `compare`: whether two images read alike. */
export const compare: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-f FORMAT] [-F FORMAT] [-T SRC_CACHE] [-p] [-q] [-s] [-U] FILENAME1 FILENAME2',
  help: [
    ['-f FORMAT', 'the format of the first image (default: found out)'],
    ['-F FORMAT', 'the format of the second one'],
    ['-s', 'strict: of one size, and nothing allocated in one of them alone'],
    ['-p', 'show how far it has come'],
    ['-q', 'say nothing but errors'],
    ['-T SRC_CACHE', 'the cache mode: none, writeback, unsafe, directsync, writethrough'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'each FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the images even while somebody writes them'],
    ['exit codes', '0 alike, 1 different, 2 could not be told'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const flags = new Set<string>();
    const said: { [Name in 'format' | 'otherFormat']?: string } = {};
    let cache = 'writeback';
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format' || name === 'otherFormat') said[name] = value;
      else if (name === 'cache') cache = value;
      else if (name === 'object') defineSecret(secrets, value);
      else flags.add(name);
    }
    const [first, second, ...further] = each.value;
    if (first === undefined || second === undefined || further.length > 0) {
      throw usageError('Expecting two image file names');
    }
    const shared = {
      secrets,
      imageOptions: flags.has('imageOptions'),
      forceShare: flags.has('forceShare'),
    };
    const isQuiet = flags.has('quiet');
    const showsProgress = flags.has('progress') && !isQuiet;
    try {
      isUnsafeCache(cache, 'source cache option', NOT_COMPARED);
      const a = await openImage(first, { ...shared, format: said.format }, context);
      await using _a = a.disk;
      const b = await openImage(second, { ...shared, format: said.otherFormat }, context);
      await using _b = b.disk;
      const progress = progressLine(context, showsProgress, PROGRESS_STEP);
      const say = (line: string) => isQuiet || context.print(`${line}\n`);
      const comparison = { a, b, isStrict: flags.has('strict'), say, progress, context };
      const difference = await compareImages(comparison);
      say(difference ?? 'Images are identical.');
      return difference === undefined ? 0 : 1;
    } catch (error) {
      throw failingWith(NOT_COMPARED, error);
    } finally {
      // Also where it never began.
      if (showsProgress) context.print('\n');
    }
  },
};

function defineSecret(secrets: Secrets, value: string): void {
  try {
    secrets.define(value);
  } catch (error) {
    throw failingWith(NOT_COMPARED, error);
  }
}

interface Comparison {
  readonly a: BlockNode;
  readonly b: BlockNode;
  readonly isStrict: boolean;
  readonly say: (line: string) => void;
  readonly progress: ProgressLine;
  readonly context: ImgContext;
}

/** The first difference in words; undefined where there is none. */
async function compareImages(comparison: Comparison): Promise<string | undefined> {
  const { a, b, isStrict, say } = comparison;
  const { size } = a.disk;
  if (isStrict && size !== b.disk.size) return 'Strict mode: Image size mismatch!';
  const common = await compareCommon(comparison);
  if (common !== undefined || size === b.disk.size) return common;
  say('Warning: Image size mismatch!');
  return compareRest(comparison);
}

async function compareCommon(comparison: Comparison): Promise<string | undefined> {
  const { a, b, isStrict, progress, context } = comparison;
  const total = Math.max(a.disk.size, b.disk.size);
  const onProgress = tellOnce(progress, total);
  let statusMismatch: string | undefined;
  async function* toRead(): AsyncGenerator<Range> {
    for await (const pair of pairedAllocations(a, b)) {
      if (isStrict && statusOf(pair.left, a.disk.size) !== statusOf(pair.right, b.disk.size)) {
        statusMismatch = `Strict mode: Offset ${pair.offset} block status mismatch!`;
        return;
      }
      if (!isAlike(pair, a, b)) yield pair;
      onProgress(pair.offset + pair.length);
    }
  }
  const { signal } = context;
  const at = await findDifference(a.disk, b.disk, toRead(), { signal, onProgress });
  return at === undefined ? statusMismatch : mismatch(at);
}

/** What one image has more than the other must be zeros. */
async function compareRest({ a, b, progress, context }: Comparison): Promise<string | undefined> {
  const [longer, shorter] = a.disk.size > b.disk.size ? [a, b] : [b, a];
  const [from, total] = [shorter.disk.size, longer.disk.size];
  const onProgress = tellOnce(progress, total);
  async function* toRead(): AsyncGenerator<Range> {
    for await (const each of merged(mapNode(longer, from, total - from))) {
      if (!each.zero) yield each;
      onProgress(each.offset + each.length);
    }
  }
  const { signal } = context;
  const at = await findDifference(longer.disk, shorter.disk, toRead(), { signal, onProgress });
  return at === undefined ? undefined : mismatch(at);
}

/** A range is told of when it was read, and when it is done with: once is enough. */
function tellOnce(progress: ProgressLine, total: number): (offset: number) => void {
  let told = 0;
  return (offset) => {
    if (offset !== told) progress.update(offset, total);
    told = offset;
  };
}

function mismatch(offset: number): string {
  return `Content mismatch at offset ${offset}!`;
}

/** What strict mode wants to be the same: also that both have come to the end of the disk. */
function statusOf({ offset, length, present, zero, data, host }: Allocation, size: number): string {
  return [present, zero, data, host !== undefined, offset + length === size].join();
}

/** Nothing needs to be read: both are zeros, or lie at one place of one file. */
function isAlike({ offset, left, right }: PairedAllocation, a: BlockNode, b: BlockNode): boolean {
  if (left.zero && right.zero) return true;
  if (left.host === undefined || right.host === undefined || left.zero || right.zero) return false;
  const [from, to] = [left.host + offset - left.offset, right.host + offset - right.offset];
  return from === to && isOneFile(left, a, right, b);
}
