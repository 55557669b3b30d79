import { formatBytes } from '../../bytes/index.ts';
import type { PullResult } from '../../store/index.ts';
import { count } from '../count.ts';
import { positiveInteger } from '../positive-integer.ts';
import { printable } from '../printable.ts';
import { declareRemoteFlags, type RemoteFlags, registryOptions } from '../remote-options.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';
import { describeCount } from './push.ts';

interface Options extends RemoteFlags {
  readonly depth?: number;
  readonly all?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `calve pull REMOTE [REF]` */
export const pull: Verb = {
  examples: [
    { line: 'calve pull registry.example.com/team/debian:12', does: 'the ref debian:12 names what came' },
    { line: 'calve pull registry.example.com/team/debian:12 web:base', does: 'under another name' },
    { line: 'calve pull /mnt/backup/calve:debian:12', does: 'from another store' },
  ],
  declare: (command, session) => {
    command
      .argument(
        '<remote>',
        'HOST/REPOSITORY[:TAG][@DIGEST], or the folder of another store, with :REF or without',
      )
      .argument('[ref]', 'the ref to make or move (default: the last part of the name there)')
      .option(
        '--depth <generations>',
        'how much of the history comes, 1 being the version alone (default: all)',
        positiveInteger,
      )
      .option('--all', 'fetch the layers of old versions now, not when one is used')
      .option('--force', 'move the ref also if its version does not lead to the one that comes')
      .option('--json', 'print JSON (docs/json.md)');
    declareRemoteFlags(command).action(async (remote: string, ref: string | undefined, options: Options) => {
      const { output, signal } = session;
      const { depth, all, force } = options;
      const store = await session.openStore({ create: true });
      const registry = registryOptions(options, output);
      const result = await output.duringTransfers(remote, (told) =>
        store.remotes.pull(remote, { ref, depth, all, force, registry, signal, ...told }),
      );
      for (const line of describe(result)) output.say(printable(line));
      if (options.json === true) output.printJson(result);
      else output.print(shortDigest(result.version.digest));
    });
  },
};

function* describe({ ref, version, previous, moved, remote, ...result }: PullResult): Generator<string> {
  const { fetched, there, versions, transferredBytes, promisedLayers } = result;
  const digest = shortDigest(version.digest);
  const history = `with a history of ${count(versions, 'version')}`;
  if (ref === null) yield `${remote} is ${digest}, ${history}`;
  else if (moved) {
    const was = previous === null ? 'is new' : `was ${shortDigest(previous)}`;
    yield `${ref} is ${digest}, and ${was}, ${history}`;
  } else if (previous === version.digest) yield `${ref} is ${digest} already, ${history}`;
  else yield `${ref} is ahead of ${remote} (${digest})`;
  const counts = [...describeCount(fetched, 'fetched'), ...describeCount(there, 'here already')];
  if (fetched.bytes > transferredBytes) counts.push(`${formatBytes(transferredBytes)} over the wire`);
  yield counts.join(', ');
  if (promisedLayers > 0) {
    yield `${count(promisedLayers, 'layer')} of older versions ${promisedLayers === 1 ? 'comes' : 'come'} when one is used, or with --all`;
  }
}
