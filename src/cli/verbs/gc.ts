import { formatBytes } from '../../bytes/index.ts';
import type { GcReport } from '../../store/index.ts';
import { formatAge } from '../age.ts';
import { daysOrNow } from '../days.ts';
import type { Output } from '../output.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly prune?: number;
  readonly expireHistory?: number;
  readonly verbose?: boolean;
  readonly json?: boolean;
}

/** `calve gc` */
export const gc: Verb = {
  examples: [
    { line: 'calve gc --dry-run -v', does: 'say what would be deleted and why, and what would be kept' },
    { line: 'calve gc --prune=now', does: 'without the grace of 14 days' },
    {
      line: 'calve gc --prune=now --expire-history=now',
      does: 'also what a ref named until now: @{1} no longer brings it back',
    },
  ],
  declare: (command, session) => {
    command
      .option('-n, --dry-run', 'delete nothing, say what would be deleted')
      .option('--prune <when>', 'also what is unused for this long: `now`, days, 12h, 2w', daysOrNow)
      .option(
        '--expire-history <when>',
        'also what refs named this long ago: `now`, days, 12h, 2w',
        daysOrNow,
      )
      .option('-v, --verbose', 'say why, and what keeps what is kept')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (options: Options) => {
        const { output } = session;
        const store = await session.openStore();
        const report = await store.gc({
          dryRun: options.dryRun,
          graceDays: options.prune,
          historyDays: options.expireHistory,
          explainKept: options.verbose,
        });
        if (options.json === true) return output.printJson(report);
        const why = options.dryRun === true || options.verbose === true;
        for (const file of report.harmed) output.print(output.quiet ? file : `harmed    ${file}`);
        for (const file of report.partial) output.print(output.quiet ? file : `partial   ${file}`);
        printGone(output, report, why && !output.quiet);
        for (const { digest, by } of report.kept ?? []) output.say(`keep      ${shortDigest(digest)}  ${by}`);
        const { blobs, trash, harmed, partial } = report;
        if (blobs.length + trash.length + harmed.length + partial.length === 0)
          output.say('nothing to delete');
        else output.say(`${report.dryRun ? 'would free' : 'freed'} ${formatBytes(report.freedBytes)}`);
      });
  },
};

function printGone(output: Output, report: GcReport, why: boolean): void {
  for (const { id, changedBytes, removed, expires } of report.trash) {
    output.print(output.quiet ? id : `trash     ${id}  ${formatBytes(changedBytes)}`);
    if (why) output.print(`          removed ${formatAge(removed)}, expired ${formatAge(expires)}`);
  }
  for (const { digest, kind, bytes, since, why: reason } of report.blobs) {
    output.print(output.quiet ? digest : `${kind.padEnd(8)}  ${digest}  ${formatBytes(bytes)}`);
    if (why) output.print(`          unused since ${since}: ${reason}`);
  }
}
