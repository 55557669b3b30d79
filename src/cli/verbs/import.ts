import { basename } from 'node:path';
import { Option } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { Compression } from '../../store/index.ts';
import { compressionOption } from '../compression-option.ts';
import { printable } from '../printable.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly message?: string;
  readonly onto?: string;
  readonly format?: 'raw' | 'qcow2';
  readonly compression?: Compression;
  readonly json?: boolean;
}

/** `calve import FILE [REF]` */
export const importImage: Verb = {
  examples: [
    { line: 'calve import debian.qcow2 debian:12', does: 'the ref debian:12 names the new version' },
    {
      line: 'calve import debian-new.raw debian:12 --onto debian:12',
      does: 'store only what differs from it',
    },
  ],
  declare: (command, session) => {
    command
      .argument('<file>', 'a raw or qcow2 image; it is only read')
      .argument('[ref]', 'the name of the version (default: from the name of the file)')
      .option('-m, --message <text>', 'what is in it')
      .option('--onto <ref>', 'store only the difference to this version; `none`: the whole disk', 'none')
      .addOption(new Option('--format <format>', 'what FILE is (default: look)').choices(['raw', 'qcow2']))
      .addOption(compressionOption())
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (file: string, ref: string | undefined, options: Options) => {
        if (options.onto === 'auto') {
          throw new CalveError(
            'usage',
            '--onto auto, which finds the nearest version, comes in a later release',
            {
              hint: 'name a version (--onto REF) or store the whole disk (--onto none)',
            },
          );
        }
        const { output, signal } = session;
        const store = await session.openStore({ create: true });
        const { message, format, compression } = options;
        const onto = options.onto === 'none' ? null : options.onto;
        const result = await output.during(basename(file), (onProgress) =>
          store.versions.import(file, { ref, message, onto, format, compression, signal, onProgress }),
        );
        const { version, summary, warnings } = result;
        for (const warning of warnings) output.warn(printable(warning));
        output.say(
          `imported ${printable(basename(file))} as ${result.ref ?? shortDigest(version.digest)}: ` +
            `a disk of ${formatBytes(version.size)}, ${formatBytes(summary.fileSize)} stored`,
        );
        if (options.json === true) output.printJson(result);
        else output.print(shortDigest(version.digest));
      });
  },
};
