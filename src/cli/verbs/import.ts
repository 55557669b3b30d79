import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import { systemError } from '../../errors/index.ts';
import type { Compression, EarlierVersion } from '../../store/index.ts';
import { byteSize } from '../byte-size.ts';
import { compressionOption } from '../compression-option.ts';
import { describeNearest, describeSpared } from '../describe-nearest.ts';
import { imageName } from '../image-name.ts';
import { printable } from '../printable.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly message?: string;
  readonly onto?: string;
  readonly format?: 'raw' | 'qcow2' | 'vmdk' | 'vdi' | 'vhdx' | 'vpc';
  readonly chain?: boolean;
  readonly snapshots?: boolean;
  readonly secretFile?: string;
  readonly compression?: Compression;
  readonly maxLayerSize?: number;
  readonly json?: boolean;
}

/** `calve import FILE [REF]` */
export const importImage: Verb = {
  examples: [
    { line: 'calve import debian.qcow2 debian:12', does: 'the ref debian:12 names the new version' },
    {
      line: 'calve import debian-new.raw debian:13',
      does: 'store only what differs from the nearest version, debian:12 perhaps',
    },
    {
      line: 'calve import big.raw big --onto none --max-layer-size 4G',
      does: 'store the whole disk, in files of at most 4 GiB',
    },
    {
      line: 'calve import --chain --snapshots web.qcow2',
      does: 'its backing files and snapshots become versions too',
    },
    { line: 'calve import nbd://backup.example.com/debian debian:12', does: 'what an NBD server exports' },
  ],
  declare: (command, session) => {
    command
      .argument('<file>', 'a raw, qcow2, VMDK, VDI, VHDX or VHD image, or nbd://HOST/EXPORT; it is only read')
      .argument('[ref]', 'the name of the version (default: from the name of the file)')
      .option('-m, --message <text>', 'what is in it')
      .option(
        '--onto <ref>',
        'store only the difference to this version; `auto`: to the nearest one; `none`: the whole disk',
        'auto',
      )
      .addOption(
        new Option(
          '--format <format>',
          'what FILE is (default: look); all but the first two want qemu-img',
        ).choices(['raw', 'qcow2', 'vmdk', 'vdi', 'vhdx', 'vpc']),
      )
      .option(
        '--chain',
        'follow its backing files, each of which becomes a version; for images that are trusted',
      )
      .option('--snapshots', 'make a version of each internal snapshot, too')
      .option('--secret-file <file>', 'holds the passphrase of an encrypted image, to the byte')
      .addOption(compressionOption())
      .option('--max-layer-size <size>', 'make several layers of what is larger: 4G', byteSize)
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (file: string, ref: string | undefined, options: Options) => {
        const { output, signal } = session;
        const sayIfAny = (line: string | undefined): void => {
          if (line !== undefined) output.say(line);
        };
        const store = await session.openStore({ create: true });
        const { message, format, chain, snapshots, secretFile, compression, maxLayerSize } = options;
        const passphrase = secretFile === undefined ? undefined : await readSecret(secretFile);
        const onto = options.onto === 'none' ? null : options.onto;
        const result = await output.during(imageName(file), (onProgress) =>
          store.versions.import(file, {
            ...{ ref, message, onto, format, chain, snapshots, passphrase },
            ...{ compression, maxLayerSize, signal, onProgress },
            onNearest: (found) => sayIfAny(describeNearest(found)),
          }),
        );
        passphrase?.fill(0);
        const { version, summary, earlier, warnings } = result;
        for (const warning of warnings) output.warn(printable(warning));
        for (const each of earlier) output.say(`below it: ${describeEarlier(each)}`);
        output.say(
          `imported ${printable(imageName(file))} as ${result.ref ?? shortDigest(version.digest)}: ` +
            `a disk of ${formatBytes(version.size)}, ${formatBytes(summary.fileSize)} stored`,
        );
        // Of an overlay only its own clusters were looked at.
        if (earlier.length === 0) sayIfAny(describeSpared(result));
        if (options.json === true) output.printJson(result);
        else output.print(shortDigest(version.digest));
      });
  },
};

/** `1890f427fceb, base.raw, 320.5 KiB stored`: what a backing file or a snapshot became. */
function describeEarlier({ version, summary }: EarlierVersion): string {
  const { made, message } = version;
  const what = printable([made.from ?? '', ...(message === '' ? [] : [message])].join(', '));
  const stored = summary === null ? 'in the store already' : `${formatBytes(summary.fileSize)} stored`;
  return `${shortDigest(version.digest)}, ${what}, ${stored}`;
}

async function readSecret(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw systemError(`cannot read ${path}`, error);
  }
}
