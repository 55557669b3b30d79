import { formatBytes } from '../../bytes/index.ts';
import type { CommitResult, Compression } from '../../store/index.ts';
import { compressionOption } from '../compression-option.ts';
import { count } from '../count.ts';
import { firstLine } from '../first-line.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly message?: string;
  readonly tag?: string;
  readonly squash?: boolean;
  readonly compression?: Compression;
  readonly json?: boolean;
}

/** `calve commit ENV` */
export const commit: Verb = {
  examples: [
    { line: "calve commit quiet-otter -m 'nginx installed'", does: 'the ref that it tracks moves on' },
    { line: 'calve commit quiet-otter -t web:1', does: 'name the version, and track that from now on' },
    {
      line: 'calve commit quiet-otter --squash',
      does: 'store the whole disk as one layer, which stands on nothing',
    },
  ],
  declare: (command, session) => {
    command
      .argument('<env>', 'the environment; nobody may have it open')
      .option('-m, --message <text>', 'what changed')
      .option('-t, --tag <ref>', 'name the version thus instead of moving the ref that ENV tracks')
      .option('--squash', 'store the whole disk as one layer, also if nothing changed')
      .addOption(compressionOption())
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (name: string, options: Options) => {
        const { output, signal } = session;
        const store = await session.openStore();
        const { message, tag: ref, squash, compression } = options;
        const result = await output.during(name, (onProgress) =>
          store.envs.commit(name, { message, ref, squash, compression, signal, onProgress }),
        );
        const { version, summary, changed } = result;
        const at = [result.ref, shortDigest(version.digest)].filter((word) => word !== null).join(' ');
        output.say(`[${at}] ${firstLine(version.message)}`.trimEnd());
        output.say(
          `${count(changed.dataClusters, 'cluster')} of data and ${changed.zeroClusters} of zeros changed, ` +
            `${formatBytes(summary.fileSize)} stored`,
        );
        for (const line of describeDepth(result)) output.say(line);
        if (result.ref === null) {
          output.say(`no ref names it; to keep it: calve tag ${shortDigest(version.digest)} REF`);
        }
        if (options.json === true) output.printJson(result);
        else output.print(shortDigest(version.digest));
      });
  },
};

/** What became of the chain, if the layer holds more than was changed. */
function* describeDepth({ version, mergedLayers }: CommitResult): Generator<string> {
  const depth = version.layers.length;
  if (depth === 1) yield 'flattened: one layer, which stands on nothing';
  else if (mergedLayers > 0) {
    yield `merged ${count(mergedLayers, 'layer')} below into it, so the chain is ${depth} deep instead of ${depth + mergedLayers}`;
  }
}
