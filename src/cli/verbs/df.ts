import { formatBytes } from '../../bytes/index.ts';
import type { DfEnv, DfRef } from '../../store/index.ts';
import { shortDigest } from '../short-digest.ts';
import { type Column, formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

/** `calve df` */
export const df: Verb = {
  examples: [{ line: 'calve df', does: 'OWN is what deleting that one alone would free' }],
  declare: (command, session) => {
    command.option('--json', 'print JSON (docs/json.md)').action(async (options: { json?: boolean }) => {
      const { output } = session;
      const store = await session.openStore();
      const report = await store.df();
      if (options.json === true) return output.printJson(report);
      if (output.quiet) return output.printNames([...report.refs, ...report.envs]);
      output.printTable(formatTable(columns('REF'), report.refs));
      output.print('');
      output.printTable(formatTable(columns('ENV'), report.envs));
      output.print('');
      const totals = Object.entries(report.totals).map(([kind, bytes]) => ({ kind, bytes }));
      output.printTable(
        formatTable(
          [
            { title: 'STORE', cell: (row) => row.kind },
            { title: 'SPACE', cell: (row) => formatBytes(row.bytes), align: 'right' },
          ],
          totals,
        ),
      );
    });
  },
};

function columns(title: string): Column<DfRef | DfEnv>[] {
  return [
    { title, cell: (row) => row.name },
    { title: 'VERSION', cell: (row) => shortDigest(row.version) },
    { title: 'DISK', cell: (row) => formatBytes(row.virtualSize), align: 'right' },
    { title: 'CHAIN', cell: (row) => formatBytes(row.apparentBytes), align: 'right' },
    { title: 'OWN', cell: (row) => formatBytes(row.ownBytes), align: 'right' },
    { title: 'SHARED', cell: (row) => formatBytes(row.sharedBytes), align: 'right' },
  ];
}
