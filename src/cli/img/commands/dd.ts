import { sliceDisk } from '../../../disk/index.ts';
import { copyDisk } from '../../../img/index.ts';
import { createPlain } from '../creating/create-plain.ts';
import type { ImgCommand, ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { openImage } from '../opening/open-image.ts';
import { writableDisk } from '../opening/writable-disk.ts';
import { readOptions } from '../options/read-options.ts';
import { readExactSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';

const OPTIONS = {
  short: { f: 'format:', O: 'outputFormat:', U: 'forceShare' },
  long: { object: 'object:', 'image-opts': 'imageOptions', 'force-share': 'forceShare' },
} as const;

/** QEMU's limit of a block. */
const MOST_BLOCK = 2n ** 31n - 1n;

/** `dd`: blocks of an image into a new one. */
export const dd: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-U] [-f FORMAT] [-O OUTPUT_FORMAT] [bs=BLOCK_SIZE] [count=BLOCKS] [skip=BLOCKS] if=INPUT of=OUTPUT',
  help: [
    ['if=INPUT', 'the image to read'],
    ['of=OUTPUT', 'the image to make; what lies there is lost'],
    ['bs=BLOCK_SIZE', 'bytes of a block (default 512)'],
    ['count=BLOCKS', 'blocks of the input, those that are skipped included'],
    ['skip=BLOCKS', 'blocks of the input that are left out'],
    ['-f FORMAT', 'the format of INPUT (default: found out)'],
    ['-O OUTPUT_FORMAT', 'the format of OUTPUT: raw (default) or qcow2'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'INPUT is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open INPUT even while somebody writes it'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    let [imageOptions, forceShare] = [false, false];
    let format: string | undefined;
    let outputFormat = 'raw';
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') format = value;
      else if (name === 'outputFormat') outputFormat = value;
      else if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else forceShare = true;
    }
    const { input, output, blockSize, count, skip } = readOperands(each.value, context);
    if (input === undefined || output === undefined) {
      throw imgError('Must specify both input and output files');
    }
    const source = await openImage(input, { format, imageOptions, forceShare, secrets }, context);
    await using from = source.disk;
    // As QEMU counts: the blocks that are skipped are among those that are counted.
    const end = count === undefined ? BigInt(from.size) : least(BigInt(from.size), count * blockSize);
    const start = skip * blockSize;
    const size = Number(start > end ? 0n : end - start);
    const created = { filename: output, format: outputFormat, size, secrets };
    const targetIsZero = await createPlain(created, context);
    if (start > end) {
      context.complain(`${context.program}: ${input}: cannot skip to specified offset\n`);
      return 0;
    }
    const target = await openImage(output, { format: outputFormat, secrets, writable: true }, context);
    await using to = writableDisk(target.disk);
    const blocks = sliceDisk(from, Number(start), size);
    await copyDisk(blocks, to, { targetIsZero, signal: context.signal });
    return 0;
  },
};

interface Operands {
  readonly input?: string;
  readonly output?: string;
  readonly blockSize: bigint;
  readonly count?: bigint;
  readonly skip: bigint;
}

function readOperands(words: readonly string[], context: ImgContext): Operands {
  const said: { -readonly [Name in keyof Operands]: Operands[Name] } = { blockSize: 512n, skip: 0n };
  for (const word of words) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(word) ?? [];
    if (!word.includes('=')) throw imgError(`unrecognized operand ${name}`);
    if (name === 'if') said.input = value;
    else if (name === 'of') said.output = value;
    else if (name === 'bs')
      said.blockSize = readExactSize(value, 'bs', context, { min: 1n, max: MOST_BLOCK });
    else if (name === 'count') said.count = readExactSize(value, 'count', context);
    else if (name === 'skip') said.skip = readExactSize(value, 'skip', context);
    else throw imgError(`unrecognized operand ${name}`);
  }
  return said;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
