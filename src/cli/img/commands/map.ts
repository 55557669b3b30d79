import type { ImgCommand, ImgContext } from '../img-context.ts';
import { imgError, usageError } from '../img-error.ts';
import { type Allocation, merged } from '../mapping/allocation.ts';
import { mapNode } from '../mapping/map-node.ts';
import { openImage } from '../opening/open-image.ts';
import { type OutputFormat, outputFormat } from '../options/output-format.ts';
import { readOptions } from '../options/read-options.ts';
import { readSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';

const OPTIONS = {
  short: { f: 'format:', s: 'start:', l: 'length:', U: 'forceShare' },
  long: {
    format: 'format:',
    output: 'output:',
    'start-offset': 'start:',
    'max-length': 'length:',
    object: 'object:',
    'image-opts': 'imageOptions',
    'force-share': 'forceShare',
  },
} as const;

/** `map`: where the bytes of an image lie. */
export const map: ImgCommand = {
  usage:
    '[--object OBJECT] [--image-opts] [-f FORMAT] [--start-offset=OFFSET] [--max-length=LENGTH] [--output=human|json] [-U] FILENAME',
  help: [
    ['-f, --format=FORMAT', 'the format of the image (default: found out)'],
    ['-s, --start-offset=OFFSET', 'where to begin'],
    ['-l, --max-length=LENGTH', 'how far to go'],
    ['--output=human|json', 'the data alone, for people, or everything, for programs'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the image even while somebody writes it'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    let [imageOptions, forceShare] = [false, false];
    let format: string | undefined;
    let output: OutputFormat = 'human';
    let start = 0;
    let most = Number.POSITIVE_INFINITY;
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') format = value;
      else if (name === 'output') output = outputFormat(value);
      else if (name === 'start') start = readSize(value, 'start offset', context);
      else if (name === 'length') most = readSize(value, 'max length', context);
      else if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else forceShare = true;
    }
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    const node = await openImage(filename, { format, imageOptions, forceShare, secrets }, context);
    await using disk = node.disk;
    const length = Math.max(0, Math.min(most, disk.size - start));
    const allocations = merged(length > 0 ? mapNode(node, start, length) : nothing());
    if (output === 'json') await printJson(allocations, start, context);
    else await printTable(allocations, context);
    return 0;
  },
};

async function* nothing(): AsyncGenerator<Allocation> {}

/** Only what holds more than zeros, and lies somewhere as it is. */
async function printTable(allocations: AsyncIterable<Allocation>, context: ImgContext): Promise<void> {
  const row = (...cells: string[]) => `${cells.map((cell) => cell.padEnd(16)).join('')}`;
  context.print(`${row('Offset', 'Length', 'Mapped to')}File\n`);
  const hex = (value: number) => (value === 0 ? '0' : `0x${value.toString(16)}`);
  for await (const { offset, length, zero, data, host, filename = '' } of allocations) {
    if (data && host === undefined) {
      throw imgError('File contains external, encrypted or compressed clusters.');
    }
    if (!data || zero || host === undefined) continue;
    context.print(`${row(hex(offset), hex(length), hex(host))}${filename}\n`);
  }
}

async function printJson(
  allocations: AsyncIterable<Allocation>,
  start: number,
  context: ImgContext,
): Promise<void> {
  let separator = '[';
  for await (const each of allocations) {
    context.print(separator + jsonOf(each));
    separator = ',\n';
  }
  if (separator === '[') {
    const flags = { depth: 0, present: false, zero: false, data: false };
    context.print(`[${jsonOf({ offset: start, length: 0, ...flags, host: undefined, filename: undefined })}`);
  }
  context.print(']\n');
}

function jsonOf({ offset, length, depth, present, zero, data, host }: Allocation): string {
  const place = host === undefined ? '' : `, "offset": ${host}`;
  return (
    `{ "start": ${offset}, "length": ${length}, "depth": ${depth}, "present": ${present}, ` +
    `"zero": ${zero}, "data": ${data}${place}}`
  );
}
