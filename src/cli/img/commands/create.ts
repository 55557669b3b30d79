import { checkFormat, createImage, creationProtocol } from '../creating/create-image.ts';
import { isOptionList } from '../creating/given-options.ts';
import { optionHelp } from '../creating/option-help.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError, usageError } from '../img-error.ts';
import { asksForHelp } from '../options/option-list.ts';
import { readOptions } from '../options/read-options.ts';
import { readExactSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';

const OPTIONS = {
  short: { f: 'format:', F: 'backingFormat:', b: 'backingFile:', o: 'options:', q: 'quiet', u: 'unsafe' },
  long: { object: 'object:' },
} as const;

/** `create`: a new image. */
export const create: ImgCommand = {
  usage:
    '[--object OBJECT] [-q] [-f FORMAT] [-b BACKING_FILE [-F BACKING_FORMAT]] [-u] [-o OPTIONS] FILENAME [SIZE]',
  help: [
    ['-f FORMAT', 'the format: raw (default) or qcow2'],
    ['-b BACKING_FILE', 'what the image reads where nothing was written to it'],
    ['-F BACKING_FORMAT', 'the format of the backing file'],
    ['-u', 'the backing file need not be there'],
    ['-o OPTIONS', 'options of the format; `-o help` lists them'],
    ['-q', 'say nothing'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const said: { [Name in 'format' | 'backingFile' | 'backingFormat' | 'options']?: string } = {};
    let [isQuiet, isUnsafe] = [false, false];
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'quiet') isQuiet = true;
      else if (name === 'unsafe') isUnsafe = true;
      else if (name === 'object') secrets.define(value);
      else if (name !== 'options') said[name] = value;
      else if (!isOptionList(value)) throw imgError(`Invalid option list: ${value}`);
      else said.options = said.options === undefined ? value : `${said.options},${value}`;
    }
    const { format = 'raw', options } = said;
    const [filename, sizeText, ...further] = each.value;
    if (options !== undefined && asksForHelp(options)) {
      const protocol = filename === undefined ? undefined : creationProtocol(filename);
      checkFormat(format);
      context.print(optionHelp(format, protocol));
      return 0;
    }
    if (filename === undefined) throw usageError('Expecting image file name');
    const size = sizeText === undefined ? undefined : readExactSize(sizeText, 'image size', context);
    if (further.length > 0) throw usageError(`Unexpected argument: ${further[0]}`);
    await createImage({ ...said, filename, format, size, isQuiet, isUnsafe, secrets }, context);
    return 0;
  },
};
