import type { Preallocation } from '../../../qcow2/index.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError, usageError } from '../img-error.ts';
import { openImage } from '../opening/open-image.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';
import { newSize, readNewSize } from '../resizing/new-size.ts';
import { resizeNode } from '../resizing/resize-node.ts';

const OPTIONS = {
  short: { f: 'format:', q: 'quiet' },
  long: {
    object: 'object:',
    'image-opts': 'imageOptions',
    preallocation: 'preallocation:',
    shrink: 'shrink',
  },
} as const;

const PREALLOCATIONS = ['off', 'metadata', 'falloc', 'full'] as const;
const LOSS =
  "Shrinking an image will delete all data beyond the shrunken image's end. " +
  'Before performing such an operation, make sure there is no important data there.';

/** `resize`: another size of the disk. */
export const resize: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-f FORMAT] [--preallocation=off|metadata|falloc|full] [-q] [--shrink] FILENAME [+|-]SIZE',
  help: [
    ['-f FORMAT', 'the format of the image (default: found out)'],
    ['--preallocation=MODE', 'what growth adds: off, metadata, falloc or full'],
    ['--shrink', 'what lies past a smaller size may be lost'],
    ['-q', 'say nothing but errors'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['+SIZE, -SIZE', 'so many bytes more, or fewer'],
  ],
  async run(words, context) {
    // The last word is the size, whatever it looks like: one that begins with a minus is no option.
    if (words.length < 2) throw usageError('Not enough arguments');
    const size = words.at(-1) ?? '';
    const secrets = new Secrets();
    const flags = new Set<string>();
    let format: string | undefined;
    let preallocation: Preallocation = 'off';
    const typed = readOptions(words.slice(0, -1), OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') format = value;
      else if (name === 'object') secrets.define(value);
      else if (name === 'preallocation') preallocation = preallocationOf(value);
      else flags.add(name);
    }
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) {
      throw usageError('Expecting image file name and size');
    }
    const wanted = readNewSize(size);
    const imageOptions = flags.has('imageOptions');
    const node = await openImage(filename, { format, imageOptions, secrets, writable: true }, context);
    await using disk = node.disk;
    const bytes = newSize(wanted, disk.size);
    if (bytes <= disk.size && preallocation !== 'off') {
      throw imgError('Preallocation can only be used for growing images');
    }
    if (bytes < disk.size && !flags.has('shrink')) {
      throw imgError('Use the --shrink option to perform a shrink operation.', {
        code: 'denied',
        more: `${context.program}: warning: ${LOSS}`,
      });
    }
    await resizeNode(node, bytes, preallocation, context);
    if (!flags.has('quiet')) context.print('Image resized.\n');
    return 0;
  },
};

function preallocationOf(value: string): Preallocation {
  const found = PREALLOCATIONS.find((mode) => mode === value);
  if (found !== undefined) return found;
  throw imgError(`Invalid preallocation mode '${value}'`);
}
