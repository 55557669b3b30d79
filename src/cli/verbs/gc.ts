import { Option } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly prune?: 'now';
  readonly json?: boolean;
}

/** `calve gc` */
export const gc: Verb = {
  examples: [
    { line: 'calve gc --dry-run', does: 'say what would be deleted' },
    { line: 'calve gc --prune=now', does: 'without the grace of 14 days' },
  ],
  declare: (command, session) => {
    command
      .option('--dry-run', 'delete nothing, say what would be deleted')
      .addOption(new Option('--prune <when>', 'also what became unused in the last 14 days').choices(['now']))
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (options: Options) => {
        const { output } = session;
        const store = await session.openStore();
        const report = await store.gc({
          dryRun: options.dryRun,
          graceDays: options.prune === 'now' ? 0 : undefined,
        });
        if (options.json === true) return output.printJson(report);
        for (const id of report.trash) output.print(output.quiet ? id : `trash     ${id}`);
        for (const { digest, kind, bytes } of report.blobs) {
          output.print(output.quiet ? digest : `${kind.padEnd(8)}  ${digest}  ${formatBytes(bytes)}`);
        }
        if (report.blobs.length + report.trash.length === 0) output.say('nothing to delete');
        else output.say(`${report.dryRun ? 'would free' : 'freed'} ${formatBytes(report.freedBytes)}`);
      });
  },
};
