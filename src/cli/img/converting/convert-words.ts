import { isOptionList } from '../creating/given-options.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { readOptions } from '../options/read-options.ts';
import { readExactSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';
import { readSnapshotParameter, type SnapshotParameter } from './snapshot-parameter.ts';

const OPTIONS = {
  short: {
    B: 'backingFile:',
    C: 'copyOffload',
    F: 'backingFormat:',
    O: 'outputFormat:',
    S: 'sparseSize:',
    T: 'sourceCache:',
    U: 'forceShare',
    W: 'outOfOrder',
    c: 'compress',
    f: 'format:',
    l: 'snapshot:',
    m: 'parallel:',
    n: 'noCreate',
    o: 'options:',
    p: 'progress',
    q: 'quiet',
    r: 'rate:',
    t: 'cache:',
  },
  long: {
    bitmaps: 'bitmaps',
    'force-share': 'forceShare',
    'image-opts': 'imageOptions',
    object: 'object:',
    salvage: 'salvage',
    'skip-broken-bitmaps': 'skipBrokenBitmaps',
    'target-image-opts': 'targetImageOptions',
    'target-is-zero': 'targetIsZero',
  },
} as const;

/** Options that are on or off. */
type ConvertFlag =
  | 'bitmaps'
  | 'compress'
  | 'copyOffload'
  | 'forceShare'
  | 'imageOptions'
  | 'noCreate'
  | 'outOfOrder'
  | 'progress'
  | 'quiet'
  | 'salvage'
  | 'skipBrokenBitmaps'
  | 'targetImageOptions'
  | 'targetIsZero';

/** Options whose value is taken as it is. */
type ConvertText = 'backingFile' | 'backingFormat' | 'outputFormat' | 'format' | 'options';

/** What was typed after `convert`. */
export interface ConvertWords extends Readonly<Partial<Record<ConvertText, string>>> {
  readonly flags: ReadonlySet<ConvertFlag>;
  readonly secrets: Secrets;
  readonly snapshot?: SnapshotParameter;
  /** Cache modes, not yet checked. */
  readonly cache: string;
  readonly sourceCache: string;
  /** Bytes of zeros that become a hole; 0: none do. */
  readonly sparseSize: number;
  /** `-S` was typed. */
  readonly isSparseGiven: boolean;
  readonly parallel: number;
  /** Bytes of a second; undefined: no limit. */
  readonly rate?: number;
  /** The images, the target last. */
  readonly operands: readonly string[];
}

const MOST_PARALLEL = 16;
const MOST_SPARSE = 16 << 20;
const SECTOR = 512;

/**
 * Reads the words of `convert`, one by one.
 * @throws CalveError in qemu-img's words
 */
export function readConvertWords(words: readonly string[], context: ImgContext): ConvertWords {
  const flags = new Set<ConvertFlag>();
  const secrets = new Secrets();
  const said: { -readonly [Name in keyof ConvertWords]?: ConvertWords[Name] } = {};
  const typed = readOptions(words, OPTIONS);
  let each = typed.next();
  for (; !each.done; each = typed.next()) {
    const { name, value } = each.value;
    if (name === 'object') secrets.define(value);
    else if (name === 'options') said.options = joined(said.options, value);
    else if (name === 'snapshot') said.snapshot = readSnapshotParameter(value, context);
    else if (name === 'sparseSize') said.sparseSize = readSparseSize(value, context);
    else if (name === 'parallel') said.parallel = readParallel(value);
    else if (name === 'rate') said.rate = Number(readExactSize(value, 'rate limit', context));
    else if (isText(name)) said[name] = value;
    else flags.add(name);
  }
  return {
    sparseSize: 4096,
    parallel: 8,
    cache: 'unsafe',
    sourceCache: 'writeback',
    ...said,
    isSparseGiven: said.sparseSize !== undefined,
    flags,
    secrets,
    operands: each.value,
  };
}

const TEXTS = ['backingFile', 'backingFormat', 'outputFormat', 'format', 'cache', 'sourceCache'] as const;

function isText(name: string): name is (typeof TEXTS)[number] {
  return TEXTS.some((text) => text === name);
}

function joined(before: string | undefined, value: string): string {
  if (!isOptionList(value)) throw imgError(`Invalid option list: ${value}`);
  return before === undefined ? value : `${before},${value}`;
}

function readSparseSize(text: string, context: ImgContext): number {
  const size = Number(readExactSize(text, 'buffer size for sparse output', context));
  if (size % SECTOR === 0 && size <= MOST_SPARSE) return size;
  throw imgError(
    `Invalid buffer size for sparse output specified. Valid sizes are multiples of ${SECTOR} up to ${MOST_SPARSE}. ` +
      'Select 0 to disable sparse detection (fully allocates output).',
  );
}

function readParallel(text: string): number {
  const count = /^\s*\+?\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= MOST_PARALLEL) return count;
  throw imgError(
    `Invalid number of coroutines. Allowed number of coroutines is between 1 and ${MOST_PARALLEL}`,
  );
}
