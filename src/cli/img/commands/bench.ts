import { CalveError, errnoOf } from '../../../errors/index.ts';
import { sendRequests } from '../benching/send-requests.ts';
import type { ImgCommand, ImgContext } from '../img-context.ts';
import { imgError, usageError } from '../img-error.ts';
import { openImage } from '../opening/open-image.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { readOptions } from '../options/read-options.ts';
import { readSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';
import { errnoText } from '../printing/errno-text.ts';

const OPTIONS = {
  short: {
    c: 'count:',
    d: 'depth:',
    f: 'format:',
    i: 'aio:',
    n: 'native',
    o: 'offset:',
    q: 'quiet',
    s: 'size:',
    S: 'step:',
    t: 'cache:',
    w: 'write',
    U: 'forceShare',
  },
  long: {
    'flush-interval': 'flushInterval:',
    'no-drain': 'noDrain',
    'image-opts': 'imageOptions',
    pattern: 'pattern:',
    'force-share': 'forceShare',
  },
} as const;

const MOST = 2 ** 31 - 1;
/** What `-c`, `-d` and the like are called when they are none. */
const NUMBERS = {
  count: 'request count',
  depth: 'queue depth',
  pattern: 'pattern byte',
  flushInterval: 'flush interval',
} as const;

/** `bench`: how long many requests take. */
export const bench: ImgCommand = {
  usage:
    '[-c COUNT] [-d DEPTH] [-f FORMAT] [--flush-interval=REQUESTS] [-i AIO] [-n] [--no-drain] [-o OFFSET] [--pattern=BYTE] [-q] [-s SIZE] [-S STEP] [-t CACHE] [-w] [-U] FILENAME',
  help: [
    ['-c COUNT', 'how many requests (default 75000)'],
    ['-d DEPTH', 'how many at a time (default 64)'],
    ['-o OFFSET', 'where the first one begins (default 0)'],
    ['-s SIZE', 'bytes of each (default 4096)'],
    ['-S STEP', 'from the offset of one to that of the next (default: SIZE)'],
    ['-w', 'write; what the image held there is lost'],
    ['--pattern=BYTE', 'the byte that is written (default 0)'],
    ['--flush-interval=REQUESTS', 'flush after so many writes'],
    ['--no-drain', 'go on while a flush is under way'],
    ['-f FORMAT', 'the format of the image (default: found out)'],
    ['-t CACHE', 'the cache mode: none, writeback, unsafe, directsync, writethrough'],
    ['-i AIO', 'threads, native or io_uring'],
    ['-n', 'as -i native'],
    ['-q', 'taken, and changes nothing'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the image even while somebody writes it'],
  ],
  async run(words, context) {
    const flags = new Set<string>();
    const numbers = { count: 75_000, depth: 64, pattern: 0, flushInterval: 0 };
    const sizes = { offset: 0, size: 4096, step: 0 };
    let format: string | undefined;
    let cache = 'writeback';
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'count' || name === 'depth' || name === 'pattern' || name === 'flushInterval') {
        numbers[name] = readNumber(value, NUMBERS[name], name === 'pattern' ? 255 : MOST);
      } else if (name === 'offset') sizes.offset = readSize(value, 'offset', context);
      else if (name === 'size') sizes.size = readBytes(value, 'buffer size', context);
      else if (name === 'step') sizes.step = readBytes(value, 'step_size', context);
      else if (name === 'format') format = value;
      else if (name === 'cache') cache = checkCache(value);
      else if (name === 'aio') checkAio(value, flags);
      else flags.add(name);
    }
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    const write = flags.has('write');
    const { count, depth, flushInterval } = numbers;
    if (!write && flushInterval > 0) {
      throw imgError('--flush-interval is only available in write tests', { code: 'usage' });
    }
    if (flushInterval > 0 && flushInterval < depth) {
      throw imgError("Flush interval can't be smaller than depth", { code: 'usage' });
    }
    if (flags.has('native') && !['none', 'off', 'directsync'].includes(cache)) {
      throw imgError(
        `Could not open '${filename}': aio=native was specified, but it requires cache.direct=on, which was not specified.`,
        { code: 'usage' },
      );
    }
    const [imageOptions, forceShare] = [flags.has('imageOptions'), flags.has('forceShare')];
    const options = { format, imageOptions, forceShare, writable: write, secrets: new Secrets() };
    const { disk } = await openImage(filename, options, context);
    await using _disk = disk;
    const { size, offset } = sizes;
    const step = sizes.step === 0 ? size : sizes.step;
    const kind = write ? 'write' : 'read';
    context.print(
      `Sending ${count} ${kind} requests, ${size} bytes each, ${depth} in parallel (starting at offset ${offset}, step size ${step})\n`,
    );
    if (flushInterval > 0) context.print(`Sending flush every ${flushInterval} requests\n`);
    const began = performance.now();
    try {
      const drains = !flags.has('noDrain');
      await sendRequests(disk, { ...numbers, size, offset, step, write, drains, signal: context.signal });
    } catch (error) {
      throw failedRequest(error);
    }
    const seconds = (performance.now() - began) / 1000;
    context.print(`Run completed in ${seconds.toFixed(3)} seconds.\n`);
    return 0;
  },
};

/** As strtoul(3) reads it: decimal, octal behind a 0, hexadecimal behind 0x. */
function readNumber(text: string, what: string, most: number): number {
  const [, digits = ''] = /^\s*\+?(0x[\da-f]+|\d+)$/i.exec(text) ?? [];
  const isOctal = /^0[0-7]+$/.test(digits);
  const value = digits === '' ? Number.NaN : isOctal ? Number.parseInt(digits, 8) : Number(digits);
  if (value <= most) return value;
  throw imgError(`Invalid ${what} specified`, { code: 'usage' });
}

function readBytes(text: string, what: string, context: ImgContext): number {
  return readSize(text, what, context, { max: BigInt(MOST) });
}

function checkCache(mode: string): string {
  try {
    isUnsafeCache(mode, 'cache mode');
  } catch (cause) {
    throw imgError('Invalid cache mode', { code: 'usage', cause });
  }
  return mode;
}

function checkAio(value: string, flags: Set<string>): void {
  if (value === 'native') flags.add('native');
  else if (value !== 'threads' && value !== 'io_uring') {
    throw imgError(`Invalid aio option: ${value}`, { code: 'usage' });
  }
}

function failedRequest(error: unknown): CalveError {
  const isPastEnd = CalveError.is(error, 'out-of-range');
  const why = isPastEnd ? errnoText('EIO') : errnoText(errnoOf(error));
  return imgError(`Failed request: ${why ?? String(error)}`, { code: 'io', cause: error });
}
