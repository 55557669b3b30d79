import { Option } from 'commander';
import { isUri } from '../image-name.ts';
import { resolveTarget } from '../target.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly outputFormat?: 'raw' | 'qcow2';
  readonly force?: boolean;
}

/** `calve export REF|ENV FILE` */
export const exportDisk: Verb = {
  examples: [
    { line: 'calve export debian:12 debian.raw', does: 'one raw file, sparse' },
    { line: 'calve export -O qcow2 quiet-otter otter.qcow2', does: 'one qcow2 file without a backing file' },
    {
      line: 'calve export debian:12 nbd://backup.example.com/debian',
      does: 'into what an NBD server exports',
    },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref>', 'an environment, with what is not committed, or a version')
      .argument('<file>', 'the file to write, or nbd://HOST/EXPORT, which is overwritten')
      .addOption(
        new Option('-O, --output-format <format>', 'default: qcow2 if FILE ends so, else raw').choices([
          'raw',
          'qcow2',
        ]),
      )
      .option('-f, --force', 'replace FILE if it is there')
      .action(async (name: string, file: string, options: Options) => {
        const { output, signal } = session;
        const store = await session.openStore();
        await resolveTarget(session, store, name);
        const format = options.outputFormat ?? (file.endsWith('.qcow2') && !isUri(file) ? 'qcow2' : 'raw');
        await output.during(name, (onProgress) =>
          store.versions.export(name, file, { format, force: options.force, signal, onProgress }),
        );
        output.say(`exported ${name} to ${file} (${format})`);
      });
  },
};
