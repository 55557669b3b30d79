import { CalveError } from '../../errors/index.ts';
import type { DiffOptions } from '../diff/diff-options.ts';
import { resolveTarget } from '../target.ts';
import type { Verb } from '../verb.ts';

/** `calve diff A [B]` */
export const diff: Verb = {
  examples: [
    { line: 'calve diff debian:12~1 debian:12', does: 'files that were added, modified, deleted, renamed' },
    { line: 'calve diff --stat quiet-otter', does: 'how much an environment changed' },
    { line: 'calve diff --content /etc/fstab quiet-otter', does: 'what changed in a file, line by line' },
    {
      line: 'calve diff --blocks debian:12~1 debian:12',
      does: 'offset and length of what differs, in bytes',
    },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref>', 'an environment or a version')
      .argument('[env|ref]', "another (default: the environment's version, the version's parent)")
      .option('--stat', 'print only how much differs')
      .option('--name-status', 'letters and paths alone')
      .option('--content <path>', 'print how the content of this file differs, as a unified diff')
      .option('-p, --partition <partition>', 'only the partition of this number, label or UUID')
      .option('--no-renames', 'tell renamed files as deleted and added')
      .option('--blocks', 'compare block by block')
      .option('--exit-code', 'exit with 1 if anything differs')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (a: string, b: string | undefined, options: DiffOptions) => {
        refuseTogether(options);
        const store = await session.openStore();
        for (const name of [a, b]) if (name !== undefined) await resolveTarget(session, store, name);
        if (options.blocks === true) {
          const { printBlockDiff } = await import('../diff/block-diff.ts');
          await printBlockDiff(session, store, { a, b }, options);
        } else if (options.content !== undefined) {
          const { printContentDiff } = await import('../diff/content-diff.ts');
          await printContentDiff(session, store, { a, b }, { ...options, content: options.content });
        } else {
          const { printFileDiff } = await import('../diff/file-diff.ts');
          await printFileDiff(session, store, { a, b }, options);
        }
      });
  },
};

/** What is said of files means nothing for blocks; what shapes a list, nothing for one file. */
function refuseTogether(options: DiffOptions): void {
  const { blocks, content, stat, nameStatus, partition, renames, json } = options;
  const files = {
    '--name-status': nameStatus,
    '--content': content,
    '--partition': partition,
    '--no-renames': !renames,
  };
  const lists = { '--name-status': nameStatus, '--stat': stat, '--no-renames': !renames, '--json': json };
  const others = blocks === true ? files : content !== undefined ? lists : {};
  const [other] = Object.entries(others).flatMap(([name, said]) => (said ? [name] : []));
  if (other === undefined) return;
  throw new CalveError(
    'usage',
    `${blocks === true ? '--blocks' : '--content'} and ${other} do not go together`,
  );
}
