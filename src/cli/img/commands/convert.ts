import { checkConvertWords } from '../converting/check-convert-words.ts';
import { convertData } from '../converting/convert-data.ts';
import { openSources } from '../converting/convert-sources.ts';
import { type ConvertWords, readConvertWords } from '../converting/convert-words.ts';
import { copyBitmaps } from '../converting/copy-bitmaps.ts';
import { openTarget } from '../converting/open-target.ts';
import { checkFormat, creationProtocol } from '../creating/create-image.ts';
import { optionHelp } from '../creating/option-help.ts';
import type { ImgCommand, ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { asksForHelp } from '../options/option-list.ts';
import { type ProgressLine, progressLine } from '../printing/progress-line.ts';

/** Percent that are worth saying. */
const PROGRESS_STEP = 1;

/** `convert`: images into another one. */
export const convert: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [--target-image-opts] [--target-is-zero] [--bitmaps [--skip-broken-bitmaps]] [-U] [-C] [-c] [-p] [-q] [-n] [-f FORMAT] [-t CACHE] [-T SRC_CACHE] [-O OUTPUT_FORMAT] [-B BACKING_FILE [-F BACKING_FORMAT]] [-o OPTIONS] [-l SNAPSHOT] [-S SPARSE_SIZE] [-r RATE] [-m COUNT] [-W] [--salvage] FILENAME... OUTPUT_FILENAME',
  help: [
    ['-f FORMAT', 'the format of the sources (default: found out)'],
    ['-O OUTPUT_FORMAT', 'the format of the target: raw (default) or qcow2'],
    ['-o OPTIONS', 'options of that; `-o help` lists them'],
    ['-B BACKING_FILE', 'what the target is based on: only what the source itself has is copied'],
    ['-F BACKING_FORMAT', 'the format of that'],
    ['-l SNAPSHOT', 'as it was then: ID_OR_NAME, or snapshot.id=ID,snapshot.name=NAME'],
    ['-c', 'compress (qcow2 alone)'],
    ['-S SPARSE_SIZE', 'bytes of zeros that become a hole (default 4k); 0: none do'],
    ['-n', 'the target is there already, and is as large at least'],
    ['--target-is-zero', 'it reads zeros: they need no writing'],
    ['-m COUNT', 'pieces under way at a time: 1 to 16 (default 8)'],
    ['-W', 'write them in any order'],
    ['-r RATE', 'bytes of a second at most'],
    ['-C', 'let the kernel copy where it can'],
    ['--bitmaps', 'copy the persistent bitmaps too'],
    ['--skip-broken-bitmaps', 'but for those that are inconsistent'],
    ['--salvage', 'take what cannot be read for zeros, and say where that is'],
    ['-p', 'show how far it has come'],
    ['-q', 'say nothing but errors'],
    ['-t CACHE', 'the cache mode of the target: none, writeback, unsafe (default), directsync, writethrough'],
    ['-T SRC_CACHE', 'that of the sources'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'each FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['--target-image-opts', 'so is OUTPUT_FILENAME'],
    ['-U, --force-share', 'open the sources even while somebody writes them'],
  ],
  async run(typed, context) {
    const words = readConvertWords(typed, context);
    checkConvertWords(words);
    const sources = words.operands.slice(0, -1);
    const target = sources.length > 0 ? words.operands.at(-1) : undefined;
    if (words.options !== undefined && asksForHelp(words.options)) {
      const { outputFormat = 'raw' } = words;
      const protocol = target === undefined ? undefined : creationProtocol(target);
      checkFormat(outputFormat);
      context.print(optionHelp(outputFormat, protocol));
      return 0;
    }
    if (target === undefined) throw imgError('Must specify image file name');
    isUnsafeCache(words.sourceCache, 'source cache option');
    const showsProgress = words.flags.has('progress') && !words.flags.has('quiet');
    const progress = showsProgress ? progressLine(context, true, PROGRESS_STEP) : undefined;
    try {
      await convertImages({ sources, target, words, progress, context });
      progress?.update(1, 1);
      return 0;
    } finally {
      progress?.end();
    }
  },
};

interface Conversion {
  /** Names. */
  readonly sources: readonly string[];
  readonly target: string;
  readonly words: ConvertWords;
  readonly progress: ProgressLine | undefined;
  readonly context: ImgContext;
}

async function convertImages({ sources: names, target: name, words, progress, context }: Conversion) {
  const warn = (line: string) => context.complain(`${context.program}: warning: ${line}\n`);
  await using opened = new AsyncDisposableStack();
  const sources = await openSources(names, words, opened, context);
  const target = await openTarget(name, sources, words, context);
  opened.use(target.node.disk);
  await convertData(sources, target, words, { progress, warn, context });
  if (sources.first.qcow2 !== undefined) {
    await copyBitmaps(sources.bitmaps, sources.first.qcow2, target.node, warn);
  }
}
