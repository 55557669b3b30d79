import type { ImgCommand, ImgContext } from '../img-context.ts';
import { imgError, usageError } from '../img-error.ts';
import { type ImageInfo, imageInfo } from '../info/image-info.ts';
import { infoJson } from '../info/info-json.ts';
import { infoLines } from '../info/info-lines.ts';
import { type OpenImageOptions, openImage } from '../opening/open-image.ts';
import { type OutputFormat, outputFormat } from '../options/output-format.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';
import { jsonText } from '../printing/json-text.ts';

const OPTIONS = {
  short: { f: 'format:', U: 'forceShare' },
  long: {
    format: 'format:',
    output: 'output:',
    'backing-chain': 'chain',
    object: 'object:',
    'image-opts': 'imageOptions',
    'force-share': 'forceShare',
  },
} as const;

/** `info`: what an image says of itself. */
export const info: ImgCommand = {
  usage: '[--object OBJECT] [--image-opts] [-f FORMAT] [--output=human|json] [--backing-chain] [-U] FILENAME',
  help: [
    ['-f, --format=FORMAT', 'the format of the image (default: found out)'],
    ['--output=human|json', 'for people, or for programs'],
    ['--backing-chain', 'all images of the chain, from the top down'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'open the image even while somebody writes it'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    const opening = { secrets, withBacking: false, withoutData: true };
    let [output, isChain, format, imageOptions, forceShare]: [
      OutputFormat,
      boolean,
      string | undefined,
      boolean,
      boolean,
    ] = ['human', false, undefined, false, false];
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'format') format = value;
      else if (name === 'output') output = outputFormat(value);
      else if (name === 'chain') isChain = true;
      else if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else forceShare = true;
    }
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    const first = { ...opening, format, imageOptions, forceShare };
    const images = await collect(filename, first, isChain, context);
    if (output === 'json') {
      const all = images.map(infoJson);
      context.print(`${jsonText(isChain ? all : (all[0] ?? null))}\n`);
    } else {
      context.print(images.map((image) => `${infoLines(image).join('\n')}\n`).join('\n'));
    }
    return 0;
  },
};

/** Each image is opened for itself, by the name and the format that the one above gives it. */
async function collect(
  filename: string,
  options: OpenImageOptions,
  isChain: boolean,
  context: ImgContext,
): Promise<ImageInfo[]> {
  const found: ImageInfo[] = [];
  const seen = new Set<string>();
  for (let [name, how] = [filename, options]; ; ) {
    if (seen.has(name)) throw imgError(`Backing file '${name}' creates an infinite loop.`);
    seen.add(name);
    const { disk, ...node } = await openImage(name, how, context);
    await using _held = disk;
    const image = await imageInfo({ ...node, disk });
    found.push(image);
    if (!isChain || image.backingFile === undefined) return found;
    if (image.fullBackingFile === undefined) {
      throw imgError(`Could not determine the backing file name of '${name}'`);
    }
    name = image.fullBackingFile;
    how = { ...options, format: image.backingFormat, imageOptions: false };
  }
}
