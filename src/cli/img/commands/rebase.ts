import { rebaseNode } from '../basing/rebase-node.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError, messageOf, usageError } from '../img-error.ts';
import { isForeign, isOurs } from '../opening/foreign-format.ts';
import { openImage } from '../opening/open-image.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';
import { progressLine } from '../printing/progress-line.ts';

const OPTIONS = {
  short: {
    f: 'format:',
    F: 'backingFormat:',
    b: 'backing:',
    u: 'unsafe',
    p: 'progress',
    t: 'cache:',
    T: 'sourceCache:',
    q: 'quiet',
    U: 'forceShare',
  },
  long: { object: 'object:', 'image-opts': 'imageOptions', 'force-share': 'forceShare' },
} as const;

/** `rebase`: another backing file under an image. */
export const rebase: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-U] [-q] [-f FORMAT] [-t CACHE] [-T SRC_CACHE] [-p] [-u] -b BACKING_FILE [-F BACKING_FORMAT] FILENAME',
  help: [
    ['-b BACKING_FILE', 'the new backing file, as the image is to name it; "" for none'],
    ['-F BACKING_FORMAT', 'its format'],
    ['-u', 'unsafe: change the name alone, whatever the image reads then'],
    ['-f FORMAT', 'the format of the image (default: found out)'],
    ['-t CACHE', 'the cache mode: none, writeback, unsafe, directsync, writethrough'],
    ['-T SRC_CACHE', 'the cache mode of the backing files'],
    ['-p', 'show how far it has come'],
    ['-q', 'say nothing but errors'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the new backing file even while somebody writes it'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const flags = new Set<string>();
    const said: { [Name in 'format' | 'backingFormat' | 'backing']?: string } = {};
    const caches = { cache: 'writeback', sourceCache: 'writeback' };
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format' || name === 'backingFormat' || name === 'backing') said[name] = value;
      else if (name === 'cache' || name === 'sourceCache') caches[name] = value;
      else if (name === 'object') secrets.define(value);
      else flags.add(name);
    }
    const { format, backingFormat, backing } = said;
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    const isUnsafe = flags.has('unsafe');
    if (!isUnsafe && backing === undefined) {
      throw usageError('Must specify backing file (-b) or use unsafe mode (-u)');
    }
    const progress = progressLine(context, flags.has('progress') && !flags.has('quiet'), 1);
    try {
      isUnsafeCache(caches.cache, 'cache option');
      isUnsafeCache(caches.sourceCache, 'source cache option');
      const imageOptions = flags.has('imageOptions');
      const options = { format, imageOptions, secrets, writable: true, withBacking: !isUnsafe };
      const node = await openImage(filename, options, context);
      await using _disk = node.disk;
      checkBackingFormat(backingFormat);
      const forceShare = flags.has('forceShare');
      const wanted = { name: backing, format: backingFormat, isUnsafe, forceShare, secrets };
      await rebaseNode(node, wanted, progress.update, context);
      progress.update(1, 1);
      return 0;
    } catch (error) {
      // As QEMU does, which goes on to the end after that one.
      if (messageOf(error).startsWith('Could not change the backing file')) progress.update(1, 1);
      throw error;
    } finally {
      progress.end();
    }
  },
};

function checkBackingFormat(format: string | undefined): void {
  if (format === undefined || isOurs(format) || isForeign(format)) return;
  throw imgError(`Invalid format name: '${format}'`, { code: 'unsupported' });
}
