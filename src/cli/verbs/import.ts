import { basename } from 'node:path';
import { Option } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import type { Compression } from '../../store/index.ts';
import { byteSize } from '../byte-size.ts';
import { compressionOption } from '../compression-option.ts';
import { describeNearest, describeSpared } from '../describe-nearest.ts';
import { printable } from '../printable.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly message?: string;
  readonly onto?: string;
  readonly format?: 'raw' | 'qcow2';
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
  ],
  declare: (command, session) => {
    command
      .argument('<file>', 'a raw or qcow2 image; it is only read')
      .argument('[ref]', 'the name of the version (default: from the name of the file)')
      .option('-m, --message <text>', 'what is in it')
      .option(
        '--onto <ref>',
        'store only the difference to this version; `auto`: to the nearest one; `none`: the whole disk',
        'auto',
      )
      .addOption(new Option('--format <format>', 'what FILE is (default: look)').choices(['raw', 'qcow2']))
      .addOption(compressionOption())
      .option('--max-layer-size <size>', 'make several layers of what is larger: 4G', byteSize)
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (file: string, ref: string | undefined, options: Options) => {
        const { output, signal } = session;
        const sayIfAny = (line: string | undefined): void => {
          if (line !== undefined) output.say(line);
        };
        const store = await session.openStore({ create: true });
        const { message, format, compression, maxLayerSize } = options;
        const onto = options.onto === 'none' ? null : options.onto;
        const result = await output.during(basename(file), (onProgress) =>
          store.versions.import(file, {
            ...{ ref, message, onto, format, compression, maxLayerSize, signal, onProgress },
            onNearest: (found) => sayIfAny(describeNearest(found)),
          }),
        );
        const { version, summary, warnings } = result;
        for (const warning of warnings) output.warn(printable(warning));
        output.say(
          `imported ${printable(basename(file))} as ${result.ref ?? shortDigest(version.digest)}: ` +
            `a disk of ${formatBytes(version.size)}, ${formatBytes(summary.fileSize)} stored`,
        );
        sayIfAny(describeSpared(result));
        if (options.json === true) output.printJson(result);
        else output.print(shortDigest(version.digest));
      });
  },
};
