import { formatBytes } from '../../bytes/index.ts';
import { formatAge } from '../age.ts';
import { envJson } from '../env-json.ts';
import { shortDigest } from '../short-digest.ts';
import { formatState } from '../state.ts';
import { formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

/** `calve ls`, `calve ps` */
export const ls: Verb = {
  examples: [
    { line: 'calve ls', does: 'name, version, age, changed size, state' },
    { line: 'calve ls -q', does: 'names only' },
  ],
  declare: (command, session) => {
    command.option('--json', 'print JSON (docs/json.md)').action(async (options: { json?: boolean }) => {
      const { output } = session;
      const store = await session.openStore();
      const envs = await store.envs.list();
      if (options.json === true) return output.printJson(envs.map(envJson));
      if (output.quiet) return output.printNames(envs);
      output.printTable(
        formatTable(
          [
            { title: 'NAME', cell: (env) => env.name },
            { title: 'REF', cell: (env) => env.ref ?? '-' },
            { title: 'VERSION', cell: (env) => shortDigest(env.version) },
            { title: 'CREATED', cell: (env) => formatAge(env.created) },
            { title: 'CHANGED', cell: (env) => formatBytes(env.changedBytes), align: 'right' },
            { title: 'STATE', cell: (env) => formatState(env.state) },
          ],
          envs,
        ),
      );
    });
  },
};
