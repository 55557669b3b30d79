import { type BitmapAction, doToBitmap } from '../bitmaps/bitmap-action.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { openImage } from '../opening/open-image.ts';
import { readOptions } from '../options/read-options.ts';
import { readSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';

const OPTIONS = {
  short: { b: 'sourceFile:', F: 'sourceFormat:', f: 'format:', g: 'granularity:' },
  long: {
    add: 'add',
    clear: 'clear',
    disable: 'disable',
    enable: 'enable',
    merge: 'merge:',
    remove: 'remove',
    granularity: 'granularity:',
    'source-file': 'sourceFile:',
    'source-format': 'sourceFormat:',
    object: 'object:',
    'image-opts': 'imageOptions',
  },
} as const;

/** `bitmap`: persistent dirty bitmaps. */
export const bitmap: ImgCommand = {
  usage:
    '(--merge SOURCE | --add | --remove | --clear | --enable | --disable)... [-b SOURCE_FILE [-F SOURCE_FORMAT]] [-g GRANULARITY] [--object OBJECT] [--image-opts | -f FORMAT] FILENAME BITMAP',
  help: [
    ['--add', 'make the bitmap'],
    ['--remove', 'remove it'],
    ['--clear', 'clear all of its bits'],
    ['--enable', 'let changes of the disk be set in it from now on'],
    ['--disable', 'leave it as it is'],
    ['--merge SOURCE', 'set in it what is set in another one'],
    ['-b, --source-file=FILE', 'the image that holds what is merged (default FILENAME)'],
    ['-F, --source-format=FORMAT', 'the format of that'],
    ['-g, --granularity=SIZE', 'bytes for a bit, of --add'],
    ['-f FORMAT', 'the format of the image (default: found out)'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const said: { [Name in 'sourceFile' | 'sourceFormat' | 'format']?: string } = {};
    const actions: BitmapAction[] = [];
    let granularity = 0;
    let imageOptions = false;
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'sourceFile' || name === 'sourceFormat' || name === 'format') said[name] = value;
      else if (name === 'granularity') granularity = readSize(value, 'granularity', context);
      else if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else if (name === 'merge') actions.push({ does: 'merge', source: value });
      else actions.push({ does: name });
    }
    const [filename, name, ...further] = each.value;
    const { format, sourceFile, sourceFormat } = said;
    const does = (action: BitmapAction['does']) => actions.some((each) => each.does === action);
    if (filename === undefined || name === undefined || further.length > 0) {
      if (actions.length > 0) throw imgError('Expecting filename and bitmap name');
    }
    if (actions.length === 0) {
      throw imgError('Need at least one of --add, --remove, --clear, --enable, --disable, or --merge');
    }
    if (granularity > 0 && !does('add')) throw imgError('granularity only supported with --add');
    if (sourceFormat !== undefined && sourceFile === undefined) {
      throw imgError('-F only supported with -b');
    }
    if (sourceFile !== undefined && !does('merge')) {
      throw imgError('Merge bitmap source file only supported with --merge');
    }
    if (filename === undefined || name === undefined) throw imgError('Expecting filename and bitmap name');
    const node = await openImage(filename, { format, imageOptions, secrets, writable: true }, context);
    await using _disk = node.disk;
    const source =
      sourceFile === undefined
        ? undefined
        : await openImage(sourceFile, { format: sourceFormat, secrets }, context);
    await using _source = source?.disk;
    for (const action of actions)
      await doToBitmap(action, { node, bitmap: name, granularity: granularity || undefined, source });
    return 0;
  },
};
