import type { Command } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { TrashInfo } from '../../store/index.ts';
import { formatAge } from '../age.ts';
import { ask, canAsk } from '../ask.ts';
import { count } from '../count.ts';
import type { Session } from '../session.ts';
import { shortDigest } from '../short-digest.ts';
import { formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

/** `calve trash ls|restore|empty` */
export const trash: Verb = {
  examples: [
    { line: 'calve trash ls', does: 'what was removed, the newest first' },
    { line: 'calve trash restore quiet-otter', does: 'the newest of that name comes back' },
    { line: 'calve trash restore quiet-otter otter-2', does: 'under another name' },
    { line: 'calve trash empty -y', does: 'delete all of it, for good' },
  ],
  declare: (command, session) => {
    command.helpCommand(false);
    declareList(command.command('ls', { isDefault: true }), session);
    declareRestore(command.command('restore'), session);
    declareEmpty(command.command('empty'), session);
  },
};

function declareList(command: Command, session: Session): void {
  command
    .summary('list what was removed')
    .option('--json', 'print JSON (docs/json.md)')
    .action(async (options: { json?: boolean }) => {
      const { output } = session;
      const store = await session.openStore();
      const removed = await store.trash.list();
      if (options.json === true) return output.printJson(removed);
      if (output.quiet) return output.printNames(removed.map(({ id }) => ({ name: id })));
      output.printTable(
        formatTable(
          [
            { title: 'ID', cell: (entry) => entry.id },
            { title: 'REF', cell: (entry) => entry.ref ?? '-' },
            { title: 'VERSION', cell: (entry) => shortDigest(entry.version) },
            { title: 'REMOVED', cell: (entry) => formatAge(entry.removed) },
            { title: 'SPACE', cell: (entry) => formatBytes(entry.changedBytes), align: 'right' },
          ],
          removed,
        ),
      );
    });
}

function declareRestore(command: Command, session: Session): void {
  command
    .summary('bring an environment back')
    .argument('<id>', "an id of `calve trash ls`, or the environment's name: the newest of that name")
    .argument('[name]', 'its name from now on (default: as before)')
    .action(async (id: string, name: string | undefined) => {
      const store = await session.openStore();
      const env = await store.trash.restore(id, name);
      session.output.say(`restored ${env.name}`);
    });
}

function declareEmpty(command: Command, session: Session): void {
  command
    .summary('delete what was removed, for good')
    .argument('[id...]', 'only these (default: all)')
    .action(async (ids: string[]) => {
      const { output } = session;
      const store = await session.openStore();
      const listed = await store.trash.list();
      if (listed.length === 0 && ids.length === 0) return output.say('the trash is empty');
      const what = ids.length > 0 ? ids.join(', ') : sum(listed);
      if (!(await ask(session, `Delete ${what} for good?`, false))) {
        if (canAsk()) return output.say('nothing deleted');
        throw new CalveError('usage', 'without a terminal to ask on, nothing is deleted', {
          hint: 'calve trash empty -y',
        });
      }
      const deleted: TrashInfo[] = [];
      for (const id of ids.length > 0 ? ids : [undefined]) deleted.push(...(await store.trash.empty({ id })));
      for (const entry of deleted) output.say(`deleted ${entry.id}`);
      output.say(`freed ${formatBytes(deleted.reduce((bytes, entry) => bytes + entry.changedBytes, 0))}`);
    });
}

function sum(entries: readonly TrashInfo[]): string {
  const bytes = entries.reduce((all, entry) => all + entry.changedBytes, 0);
  return `${count(entries.length, 'environment')} (${formatBytes(bytes)})`;
}
