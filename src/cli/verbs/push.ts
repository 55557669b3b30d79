import { formatBytes } from '../../bytes/index.ts';
import type { LayerCount, PushResult } from '../../store/index.ts';
import { count } from '../count.ts';
import { positiveInteger } from '../positive-integer.ts';
import { printable } from '../printable.ts';
import { declareRemoteFlags, type RemoteFlags, registryOptions } from '../remote-options.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options extends RemoteFlags {
  readonly depth?: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `calve push REF REMOTE` */
export const push: Verb = {
  examples: [
    { line: 'calve push debian:12 registry.example.com/team/debian:12', does: 'only what is not there goes' },
    { line: 'calve push debian:12 /mnt/backup/calve', does: 'to another store, made where there is none' },
    { line: 'calve push --depth 1 debian:12 localhost:5000/debian:12', does: 'without its history' },
  ],
  declare: (command, session) => {
    command
      .argument('<ref>', 'the version')
      .argument('<remote>', 'HOST/REPOSITORY[:TAG], or the folder of another store, with :REF or without')
      .option(
        '--depth <generations>',
        'how much of the history goes, 1 being the version alone (default: all)',
        positiveInteger,
      )
      .option('--force', 'replace what has the name there, also if it does not lead to the version')
      .option('--json', 'print JSON (docs/json.md)');
    declareRemoteFlags(command).action(async (ref: string, remote: string, options: Options) => {
      const { output, signal } = session;
      const { depth, force } = options;
      const store = await session.openStore();
      const registry = registryOptions(options, output);
      const result = await output.duringTransfers(ref, (told) =>
        store.remotes.push(ref, remote, { depth, force, registry, signal, ...told }),
      );
      for (const line of describe(result)) output.say(printable(line));
      if (options.json === true) output.printJson(result);
      else output.print(shortDigest(result.version));
    });
  },
};

function* describe({ remote, version, previous, moved, ...result }: PushResult): Generator<string> {
  const { sent, there, mounted, versions, transferredBytes } = result;
  const counts = [
    ...describeCount(sent, 'sent'),
    ...describeCount(mounted, 'taken from another repository there'),
    ...describeCount(there, 'there already'),
  ];
  if (sent.bytes > transferredBytes && sent.layers > 0) {
    counts.push(`${formatBytes(transferredBytes)} over the wire`);
  }
  const was = previous === null ? 'is new' : `was ${shortDigest(previous)}`;
  const now = moved
    ? `${remote} is ${shortDigest(version)}, and ${was}`
    : `${remote} is ${shortDigest(version)} already`;
  yield `${now}, with a history of ${count(versions, 'version')}`;
  yield counts.join(', ');
}

/** `2 layers (641.0 KiB) sent`; nothing for none. */
export function describeCount({ layers, bytes }: LayerCount, what: string): string[] {
  return layers === 0 ? [] : [`${count(layers, 'layer')} (${formatBytes(bytes)}) ${what}`];
}
