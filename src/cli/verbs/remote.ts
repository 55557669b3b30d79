import type { Command } from 'commander';
import { formatBytes } from '../../bytes/index.ts';
import type { RemoteMove, RemoteRef } from '../../store/index.ts';
import { formatAge } from '../age.ts';
import { firstLine } from '../first-line.ts';
import { declareRemoteFlags, type RemoteFlags, registryOptions } from '../remote-options.ts';
import type { Session } from '../session.ts';
import { shortDigest } from '../short-digest.ts';
import { formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

interface Options extends RemoteFlags {
  readonly json?: boolean;
}

/** `calve remote ls [REMOTE]` */
export const remote: Verb = {
  examples: [
    { line: 'calve remote ls registry.example.com/team/debian', does: 'the versions that have a tag there' },
    { line: 'calve remote ls /mnt/backup/calve', does: 'the refs of another store' },
    { line: 'calve remote ls', does: 'where was pushed to and pulled from last' },
  ],
  declare: (command, session) => {
    command.helpCommand(false);
    const list = command
      .command('ls', { isDefault: true })
      .summary('list what has a name at a remote, or the remotes that were used')
      .argument('[remote]', 'HOST/REPOSITORY[:TAG], or the folder of another store')
      .option('--json', 'print JSON (docs/json.md)');
    declareList(list, session);
  },
};

function declareList(command: Command, session: Session): void {
  declareRemoteFlags(command).action(async (name: string | undefined, options: Options) => {
    const { output, signal } = session;
    const store = await session.openStore();
    if (name === undefined) {
      const used = await lastOfEach(store.remotes.history());
      if (options.json === true) output.printJson(used);
      else if (output.quiet) output.printLines(used.map((each) => each.remote));
      else output.printTable(formatTable(MOVES, used));
      return;
    }
    const registry = registryOptions(options, output);
    const found = await Array.fromAsync(store.remotes.list(name, { registry, signal }));
    if (options.json === true) output.printJson(found);
    else if (output.quiet) output.printNames(found);
    else output.printTable(formatTable(REFS, found));
  });
}

const REFS = [
  { title: 'NAME', cell: ({ name }: RemoteRef) => name },
  { title: 'VERSION', cell: ({ version }: RemoteRef) => (version === null ? '-' : shortDigest(version)) },
  { title: 'CREATED', cell: ({ created }: RemoteRef) => (created === null ? '-' : formatAge(created)) },
  { title: 'DISK', cell: ({ virtualSize }: RemoteRef) => sizeOf(virtualSize), align: 'right' as const },
  { title: 'LAYERS', cell: ({ layerBytes }: RemoteRef) => sizeOf(layerBytes), align: 'right' as const },
  { title: 'VERSIONS', cell: ({ versions }: RemoteRef) => String(versions ?? '-'), align: 'right' as const },
  { title: 'MESSAGE', cell: ({ message }: RemoteRef) => firstLine(message ?? 'not a version of calve') },
];

const MOVES = [
  { title: 'REMOTE', cell: ({ remote: name }: RemoteMove) => name },
  { title: 'LAST', cell: ({ command }: RemoteMove) => command },
  { title: 'WHEN', cell: ({ time }: RemoteMove) => formatAge(time) },
  { title: 'REF', cell: ({ ref }: RemoteMove) => ref ?? '-' },
  { title: 'VERSION', cell: ({ to }: RemoteMove) => shortDigest(to) },
];

function sizeOf(bytes: number | null): string {
  return bytes === null ? '-' : formatBytes(bytes);
}

/** Of each remote the last move, the newest first. */
async function lastOfEach(moves: AsyncIterable<RemoteMove>): Promise<RemoteMove[]> {
  const last = new Map<string, RemoteMove>();
  for await (const move of moves) if (!last.has(move.remote)) last.set(move.remote, move);
  return [...last.values()];
}
