import { formatBytes } from '../../bytes/index.ts';
import type { FsckProblem, FsckReport } from '../../store/index.ts';
import { printable } from '../printable.ts';
import { shortDigest } from '../short-digest.ts';
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
        if (output.quiet) output.print(problem.where);
        else for (const line of describe(problem)) output.print(line);
      }
      output.say(summary(report));
    });
  },
};

function* describe(problem: FsckProblem): Generator<string> {
  yield printable(`${problem.kind}  ${problem.where}: ${problem.message}`);
  const { versions, refs, envs, trash } = problem.standing;
  const standing = [
    ['versions', versions.map(shortDigest)],
    ['refs', refs],
    ['envs', envs],
    ['trash', trash],
  ] as const;
  for (const [kind, names] of standing) {
    if (names.length > 0) yield printable(`    ${kind} that stand on it: ${names.join(', ')}`);
  }
}

function summary({ problems, checked }: FsckReport): string {
  const found =
    problems.length === 1
      ? '1 problem'
      : problems.length === 0
        ? 'no problem'
        : `${problems.length} problems`;
  return (
    `${found} in ${checked.blobs} blobs (${formatBytes(checked.bytes)}), ${checked.versions} versions, ` +
    `${checked.refs} refs, ${checked.envs} environments, ${checked.trash} in the trash`
  );
}
