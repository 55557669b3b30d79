import { amendNode } from '../amending/amend-node.ts';
import { amendHelp, amendOptions } from '../amending/amend-option.ts';
import { checkFormat } from '../creating/create-image.ts';
import { isOptionList } from '../creating/given-options.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError, usageError } from '../img-error.ts';
import { openImage } from '../opening/open-image.ts';
import { isUnsafeCache } from '../options/cache-mode.ts';
import { asksForHelp } from '../options/option-list.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';

const OPTIONS = {
  short: { o: 'options:', f: 'format:', t: 'cache:', p: 'progress', q: 'quiet' },
  long: { object: 'object:', 'image-opts': 'imageOptions', force: 'force' },
} as const;

/** `amend`: what an image is like. */
export const amend: ImgCommand = {
  usage: '[--object OBJECT] [--image-opts] [-p] [-q] [-f FORMAT] [-t CACHE] [--force] -o OPTIONS FILENAME',
  help: [
    ['-o OPTIONS', 'what is to change; `-o help` lists it'],
    ['-f FORMAT', 'the format of the image (default: found out)'],
    ['-t CACHE', 'the cache mode: none, writeback, unsafe, directsync, writethrough'],
    ['-p', 'show how far it has come'],
    ['-q', 'say nothing but errors'],
    ['--force', 'do what makes the contents of an encrypted image unreadable, too'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const flags = new Set<string>();
    const said: { format?: string; options?: string } = {};
    let cache = 'writeback';
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') said.format = value;
      else if (name === 'cache') cache = value;
      else if (name === 'object') secrets.define(value);
      else if (name !== 'options') flags.add(name);
      else if (!isOptionList(value)) throw imgError(`Invalid option list: ${value}`);
      else said.options = said.options === undefined ? value : `${said.options},${value}`;
    }
    const { format, options } = said;
    const [filename, ...further] = each.value;
    if (options === undefined) throw usageError('Must specify options (-o)');
    const showsProgress = flags.has('progress') && !flags.has('quiet');
    const imageOptions = flags.has('imageOptions');
    try {
      if (format !== undefined && asksForHelp(options)) {
        checkFormat(format);
        context.print(helpOn(format));
        return 0;
      }
      if (filename === undefined || further.length > 0) throw imgError('Expecting one image file name');
      isUnsafeCache(cache, 'cache option');
      const open = () => openImage(filename, { format, imageOptions, secrets, writable: true }, context);
      const node = await open();
      await using _disk = node.disk;
      if (asksForHelp(options)) {
        context.print(helpOn(node.driver));
        return 0;
      }
      const { qcow2 } = node;
      if (qcow2 === undefined) throw notAmended(node.driver);
      await amendNode(node, qcow2, amendOptions(options), showsProgress, context, open);
      return 0;
    } finally {
      if (showsProgress) context.print('\n');
    }
  },
};

/** @throws CalveError in qemu-img's words for a format of which nothing can be amended */
function helpOn(format: string): string {
  if (format !== 'qcow2') throw notAmended(format);
  return amendHelp();
}

function notAmended(format: string): Error {
  return imgError(`Format driver '${format}' does not support option amendment`, { code: 'unsupported' });
}
