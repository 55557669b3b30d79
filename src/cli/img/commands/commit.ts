import { commitDisk } from '../../../img/index.ts';
import { openForCommit } from '../basing/open-for-commit.ts';
import type { ImgCommand } from '../img-context.ts';
import { prefixed, usageError } from '../img-error.ts';
import { qcow2Words } from '../opening/qcow2-words.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { readOptions } from '../options/read-options.ts';
import { readSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';
import { progressLine } from '../printing/progress-line.ts';

const OPTIONS = {
  short: { f: 'format:', t: 'cache:', b: 'base:', d: 'drop', p: 'progress', q: 'quiet', r: 'rate:' },
  long: { object: 'object:', 'image-opts': 'imageOptions' },
} as const;

/** `commit`: what an image holds goes into one of its chain. */
export const commit: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-q] [-f FORMAT] [-t CACHE] [-b BASE] [-r RATE_LIMIT] [-d] [-p] FILENAME',
  help: [
    ['-b BASE', 'the image of the chain that it goes into (default: the backing file); implies -d'],
    ['-d', 'do not empty FILENAME afterwards'],
    ['-f FORMAT', 'the format of the image (default: found out)'],
    ['-r RATE_LIMIT', 'bytes a second, at most'],
    ['-t CACHE', 'the cache mode: none, writeback, unsafe, directsync, writethrough'],
    ['-p', 'show how far it has come'],
    ['-q', 'say nothing but errors'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const flags = new Set<string>();
    const said: { [Name in 'format' | 'base']?: string } = {};
    let cache = 'writeback';
    let rate: number | undefined;
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format' || name === 'base') said[name] = value;
      else if (name === 'cache') cache = value;
      else if (name === 'rate') rate = readSize(value, 'rate limit', context);
      else if (name === 'object') secrets.define(value);
      else flags.add(name);
    }
    const { format, base: baseName } = said;
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    isUnsafeCache(cache, 'cache option');
    const showsProgress = flags.has('progress') && !flags.has('quiet');
    let progress = progressLine(context, false, 1);
    const onOpen = () => {
      progress = progressLine(context, showsProgress, 1);
    };
    const imageOptions = flags.has('imageOptions');
    try {
      const options = { format, imageOptions, secrets };
      const { top, base, depth } = await openForCommit(filename, baseName, options, context, onOpen);
      await using _disk = top.disk;
      const { signal } = context;
      const onProgress = (done: number, total: number) => progress.update(done, total);
      try {
        await commitDisk(top.disk, base, { depth, signal, rate, onProgress });
      } catch (error) {
        throw prefixed('Block job failed: ', qcow2Words(error));
      }
      if (baseName === undefined && !flags.has('drop')) await top.qcow2?.makeEmpty();
      progress.update(1, 1);
    } catch (error) {
      throw qcow2Words(error);
    } finally {
      progress.end();
    }
    if (!flags.has('quiet')) context.print('Image committed.\n');
    return 0;
  },
};
