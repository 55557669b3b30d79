import { formatBytes } from '../../bytes/index.ts';
import type { FsckProblem, FsckReport } from '../../store/index.ts';
import { count } from '../count.ts';
import { printable } from '../printable.ts';
import type { Verb } from '../verb.ts';

/** `calve fsck` */
export const fsck: Verb = {
  examples: [{ line: 'calve fsck', does: 'exit 1 and a list if anything is wrong' }],
  declare: (command, session) => {
    command.option('--json', 'print JSON (docs/json.md)').action(async (options: { json?: boolean }) => {
      const { output, signal } = session;
      const store = await session.openStore();
      const report = await output.during('the store', (onProgress) => store.fsck({ signal, onProgress }));
      if (report.problems.length > 0) session.exitCode = 1;
      if (options.json === true) return output.printJson(report);
      for (const problem of report.problems) {
        output.print(output.quiet ? problem.where : describe(problem));
      }
      output.say(summary(report));
    });
  },
};

/** The message says who stands on it, and mostly where. */
function describe({ kind, where, message }: FsckProblem): string {
  return printable(`${kind}  ${message.includes(where) ? message : `${where}: ${message}`}`);
}

function summary({ problems, checked }: FsckReport): string {
  const found = problems.length === 0 ? 'no problem' : count(problems.length, 'problem');
  return (
    `${found} in ${count(checked.blobs, 'blob')} (${formatBytes(checked.bytes)}), ` +
    `${count(checked.versions, 'version')}, ${count(checked.refs, 'ref')}, ` +
    `${count(checked.envs, 'environment')}, ${checked.trash} in the trash`
  );
}
