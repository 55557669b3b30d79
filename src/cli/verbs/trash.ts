import type { Command } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { TrashInfo } from '../../store/index.ts';
import { formatAge, formatUntil } from '../age.ts';
import { ask, canAsk } from '../ask.ts';
import { count } from '../count.ts';
import { days } from '../days.ts';
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
            { title: 'EXPIRES', cell: (entry) => formatUntil(entry.expires) },
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
    .option('--older-than <age>', 'of them, only what was removed longer ago: days, 12h, 2w', days)
    .action(async (ids: string[], options: { olderThan?: number }) => {
      const { output } = session;
      const store = await session.openStore();
      const olderThan =
        options.olderThan === undefined
          ? undefined
          : new Date(Date.now() - options.olderThan * DAY).toISOString();
      const listed = await store.trash.list();
      const meant = listed.filter((entry) => olderThan === undefined || entry.removed < olderThan);
      if (meant.length === 0 && ids.length === 0) {
        return output.say(listed.length === 0 ? 'the trash is empty' : 'nothing in the trash is that old');
      }
      const what = ids.length > 0 ? ids.join(', ') : sum(meant);
      if (!(await ask(session, `Delete ${what} for good?`, false))) {
        if (canAsk()) return output.say('nothing deleted');
        throw new CalveError('usage', 'without a terminal to ask on, nothing is deleted', {
          hint: 'calve trash empty -y',
        });
      }
      // What a person was shown, and not what came there while they were thinking.
      const chosen = ids.length > 0 ? ids : meant.map((entry) => entry.id);
      const deleted = await store.trash.empty({ ids: chosen, olderThan });
      for (const entry of deleted) output.say(`deleted ${entry.id}`);
      output.say(`freed ${formatBytes(deleted.reduce((bytes, entry) => bytes + entry.changedBytes, 0))}`);
    });
}

/** Milliseconds. */
const DAY = 24 * 60 * 60 * 1000;

function sum(entries: readonly TrashInfo[]): string {
  const bytes = entries.reduce((all, entry) => all + entry.changedBytes, 0);
  return `${count(entries.length, 'environment')} (${formatBytes(bytes)})`;
}
