import { extentsOf } from '../../../disk/index.ts';
import { CalveError } from '../../../errors/index.ts';
import type { Range } from '../../../img/index.ts';
import { bitmapsSize, fullyAllocatedSize } from '../../../qcow2/index.ts';
import { readSnapshotParameter, type SnapshotParameter } from '../converting/snapshot-parameter.ts';
import { checkFormat } from '../creating/create-image.ts';
import { isOptionList } from '../creating/given-options.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { mapNode } from '../mapping/map-node.ts';
import { clustersOfData } from '../measuring/clusters-of-data.ts';
import { type MeasureTarget, measureOptions, measureTarget } from '../measuring/measure-target.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { openImage } from '../opening/open-image.ts';
import { openSnapshot } from '../opening/open-snapshot.ts';
import { type OutputFormat, outputFormat } from '../options/output-format.ts';
import { readOptions } from '../options/read-options.ts';
import { readExactSize } from '../options/read-size.ts';
import { Secrets } from '../options/secrets.ts';
import { jsonText } from '../printing/json-text.ts';

const OPTIONS = {
  short: { f: 'format:', O: 'outputFormat:', o: 'options:', l: 'snapshot:', U: 'forceShare' },
  long: {
    output: 'output:',
    size: 'size:',
    object: 'object:',
    'image-opts': 'imageOptions',
    'force-share': 'forceShare',
  },
} as const;

/** `measure`: how large an image would become. */
export const measure: ImgCommand = {
  usage:
    '[--output=human|json] [-O OUTPUT_FORMAT] [-o OPTIONS] [--size N | [--object OBJECT] [--image-opts] [-f FORMAT] [-l SNAPSHOT] [-U] FILENAME]',
  help: [
    ['-O OUTPUT_FORMAT', 'the format of the image to be made: raw (default) or qcow2'],
    ['-o OPTIONS', 'its options, as `create` takes them'],
    ['--size N', 'of an empty disk of N bytes'],
    ['-f FORMAT', 'the format of the image that would be converted (default: found out)'],
    ['-l SNAPSHOT', 'as it was then: ID_OR_NAME, or snapshot.id=ID,snapshot.name=NAME'],
    ['--output=human|json', 'for people, or for programs'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the image even while somebody writes it'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const said: { format?: string; options?: string; size?: bigint; snapshot?: SnapshotParameter } = {};
    let [imageOptions, forceShare] = [false, false];
    let outputs = 'raw';
    let output: OutputFormat = 'human';
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') said.format = value;
      else if (name === 'outputFormat') outputs = value;
      else if (name === 'options') said.options = joined(said.options, value);
      else if (name === 'snapshot') said.snapshot = readSnapshotParameter(value, context);
      else if (name === 'output') output = outputFormat(value);
      else if (name === 'size') said.size = readExactSize(value, 'image size', context);
      else if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else forceShare = true;
    }
    const [filename, ...further] = each.value;
    const { format, options, size, snapshot } = said;
    if (further.length > 0) throw imgError('At most one filename argument is allowed.');
    if (filename === undefined && (imageOptions || format !== undefined || snapshot !== undefined)) {
      throw imgError('--image-opts, -f, and -l require a filename argument.');
    }
    if (filename === undefined && size === undefined) {
      throw imgError('Either --size N or one filename must be specified.');
    }
    if (filename !== undefined && size !== undefined) {
      throw imgError('--size N cannot be used together with a filename.');
    }
    await using stack = new AsyncDisposableStack();
    let source: Source | undefined;
    if (filename !== undefined) {
      const node = await openImage(filename, { format, imageOptions, forceShare, secrets }, context);
      stack.use(node.disk);
      source = { node, disk: snapshot === undefined ? node.disk : await openSnapshot(node, snapshot) };
    }
    checkFormat(outputs);
    const given = measureOptions(outputs, options, context);
    if (outputs === 'file') throw imgError("Block driver 'file' does not support size measurement");
    const bytes = size ?? BigInt(source?.disk.size ?? 0);
    const measured =
      outputs === 'raw' ? plain(bytes) : await asQcow2(Number(bytes), measureTarget(given, secrets), source);
    context.print(
      output === 'json' ? `${jsonText(jsonOf(measured))}\n` : `${linesOf(measured).join('\n')}\n`,
    );
    return 0;
  },
};

interface Source {
  readonly node: BlockNode;
  /** The node's, or that of a snapshot. */
  readonly disk: BlockNode['disk'];
}

interface Measured {
  readonly required: bigint;
  readonly fullyAllocated: bigint;
  readonly bitmaps: number | undefined;
}

function joined(before: string | undefined, value: string): string {
  if (!isOptionList(value)) throw imgError(`Invalid option list: ${value}`);
  return before === undefined ? value : `${before},${value}`;
}

function plain(size: bigint): Measured {
  const rounded = ((size + 511n) / 512n) * 512n;
  return { required: rounded, fullyAllocated: rounded, bitmaps: undefined };
}

async function asQcow2(
  bytes: number,
  { options, clusterSize, isFull, hasBitmaps }: MeasureTarget,
  source: Source | undefined,
): Promise<Measured> {
  const size = Math.ceil(bytes / 512) * 512;
  const full = await fullSize({ ...options, size });
  const virtual = Math.ceil(size / clusterSize) * clusterSize;
  const data = isFull ? virtual : await dataOf(source, clusterSize);
  const bitmaps = source?.node.qcow2?.bitmaps() ?? [];
  const canKeep = hasBitmaps && source?.node.qcow2 !== undefined && source.node.qcow2.header.version >= 3;
  return {
    required: BigInt(full - virtual + data),
    fullyAllocated: BigInt(full),
    bitmaps: canKeep ? bitmapsSize(bitmaps, size, clusterSize) : undefined,
  };
}

/** @throws CalveError in qemu-img's words */
async function fullSize(options: Parameters<typeof fullyAllocatedSize>[0]): Promise<number> {
  try {
    return await fullyAllocatedSize(options);
  } catch (error) {
    if (!CalveError.is(error, 'out-of-range')) throw error;
    throw imgError('The image size is too large (try using a larger cluster size)', {
      code: 'out-of-range',
      cause: error,
    });
  }
}

async function dataOf(source: Source | undefined, clusterSize: number): Promise<number> {
  if (source === undefined || source.disk.size === 0) return 0;
  const { node, disk } = source;
  return clustersOfData(disk === node.disk ? nodeData(node) : diskData(disk), clusterSize);
}

async function* nodeData(node: BlockNode): AsyncGenerator<Range> {
  for await (const each of mapNode(node, 0, node.disk.size)) {
    if (each.data && each.present && !each.zero) yield each;
  }
}

async function* diskData(disk: BlockNode['disk']): AsyncGenerator<Range> {
  for await (const each of extentsOf(disk, 0, disk.size)) if (each.kind === 'data') yield each;
}

function linesOf({ required, fullyAllocated, bitmaps }: Measured): string[] {
  return [
    `required size: ${required}`,
    `fully allocated size: ${fullyAllocated}`,
    ...(bitmaps === undefined ? [] : [`bitmaps size: ${bitmaps}`]),
  ];
}

function jsonOf({ required, fullyAllocated, bitmaps }: Measured) {
  return { required, 'fully-allocated': fullyAllocated, bitmaps };
}
