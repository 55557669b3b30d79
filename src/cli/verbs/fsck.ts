import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { FsckProblem, FsckReport } from '../../store/index.ts';
import { count } from '../count.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { declareRemoteFlags, type RemoteFlags, registryOptions } from '../remote-options.ts';
import type { Verb } from '../verb.ts';

interface Options extends RemoteFlags {
  readonly repair?: boolean;
  readonly from?: string;
  readonly json?: boolean;
}

/** `calve fsck` */
export const fsck: Verb = {
  examples: [
    { line: 'calve fsck', does: 'exit 1 and a list if anything is wrong' },
    { line: 'calve fsck --repair', does: 'mend what needs no copy: modes, leaks' },
    { line: 'calve fsck --repair --from /mnt/backup/calve', does: 'and fetch what is harmed or missing' },
    { line: 'calve fsck --repair --from registry.example.com/team/debian', does: 'from a registry' },
  ],
  declare: (command, session) => {
    command
      .option('--repair', 'mend what can be mended')
      .option(
        '--from <remote>',
        'with --repair: fetch harmed and missing blobs from this registry (HOST/REPOSITORY), store or OCI image layout',
      )
      .option('--json', 'print JSON (docs/json.md)');
    declareRemoteFlags(command).action(async (options: Options) => {
      const { repair = false, from, json } = options;
      const { output, signal } = session;
      if (from !== undefined && !repair) {
        throw new CalveError('usage', '--from says where a repair fetches from', {
          hint: `calve fsck --repair --from ${from}`,
        });
      }
      const store = await session.openStore();
      const report = await output.during('the store', (onProgress) =>
        repair
          ? store.repair({ from, registry: registryOptions(options, output), signal, onProgress })
          : store.fsck({ signal, onProgress }),
      );
      if (report.problems.length > 0) session.exitCode = 1;
      if (json === true) return output.printJson(report);
      print(output, report);
    });
  },
};

function print(output: Output, report: FsckReport): void {
  for (const { message } of report.mended) output.say(printable(`mended: ${message}`));
  for (const problem of report.problems) {
    output.print(output.quiet ? problem.where : describe(problem));
    output.say(printable(`  hint: ${problem.hint}`));
  }
  for (const { message } of report.skipped) output.say(printable(`skipped: ${message}`));
  output.say(summary(report));
}

/** The message says who stands on it, and mostly where. */
function describe({ kind, where, message }: FsckProblem): string {
  return printable(`${kind}  ${message.includes(where) ? message : `${where}: ${message}`}`);
}

function summary({ problems, mended, checked }: FsckReport): string {
  const found = problems.length === 0 ? 'no problem' : count(problems.length, 'problem');
  return (
    `${mended.length === 0 ? '' : `${mended.length} mended, `}${found} in ` +
    `${count(checked.blobs, 'blob')} (${formatBytes(checked.bytes)}), ` +
    `${count(checked.versions, 'version')}, ${count(checked.refs, 'ref')}, ` +
    `${count(checked.envs, 'environment')}, ${checked.trash} in the trash`
  );
}
