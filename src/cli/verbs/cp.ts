import { CalveError } from '../../errors/index.ts';
import { statFile } from '../../host/index.ts';
import { type CopiedPath, copiedPath } from '../copy/copied-path.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly partition?: string;
}

/** `calve cp SRC... DST` */
export const cp: Verb = {
  examples: [
    { line: 'calve cp quiet-otter:/etc/hosts .', does: 'a file out of an environment' },
    { line: 'calve cp debian:12:/usr/share/doc ./doc', does: 'a folder out of a version' },
    { line: 'calve cp app.conf site quiet-otter:/srv', does: 'a file and a folder into an environment' },
    { line: 'calve cp site/. quiet-otter:/srv/www', does: 'what is in a folder' },
    { line: 'calve cp -p 1 grub.cfg quiet-otter:/grub', does: 'onto partition 1' },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref:path|file...>', 'what to copy, folders whole; then where to')
      .option(
        '-p, --partition <partition>',
        'the number, label or UUID of the partition, or GROUP/NAME of a logical volume',
      )
      .option('-r, --recursive', 'folders are always copied whole; said from habit')
      .action(async (words: string[], { partition }: Options) => {
        const to = words.at(-1);
        if (to === undefined || words.length < 2) {
          throw new CalveError('usage', 'expected what to copy and where to, got one path', {
            hint: 'calve cp ENV:/path .',
          });
        }
        await copy(session, words.slice(0, -1).map(copiedPath), copiedPath(to), partition);
      });
  },
};

type Guest = Extract<CopiedPath, { kind: 'guest' }>;

async function copy(
  session: Session,
  sources: readonly CopiedPath[],
  to: CopiedPath,
  partition: string | undefined,
): Promise<void> {
  const guests = sources.filter((source): source is Guest => source.kind === 'guest');
  const [guest] = guests;
  if (to.kind === 'guest') {
    if (guest !== undefined) throw betweenGuests(guest, to);
    const { copyIntoEnv } = await import('../copy/copy-into-env.ts');
    const { tellCopy } = await import('../copy/tell-copy.ts');
    const paths = sources.map(({ path }) => path);
    const report = await copyIntoEnv(session, {
      name: to.name,
      sources: paths,
      destination: to.path,
      partition,
    });
    tellCopy(session.output, paths.join(', '), to.word, report);
    return;
  }
  if (guest === undefined) throw noGuest(sources[0]?.word ?? '', to.word);
  if (guests.length < sources.length || guests.some(({ name }) => name !== guest.name)) {
    throw new CalveError('usage', 'expected all that is copied in one environment or version', {
      hint: 'calve cp once for each',
    });
  }
  if (guests.length > 1 && statFile(to.path)?.kind !== 'folder') {
    throw new CalveError('not-found', `no folder is called ${to.path}, for ${guests.length} copies`, {
      hint: `mkdir ${to.path}`,
    });
  }
  const { copyFromGuest } = await import('../copy/copy-from-guest.ts');
  const { tellCopy } = await import('../copy/tell-copy.ts');
  const paths = guests.map(({ path }) => path);
  const reports = await copyFromGuest(session, { name: guest.name, paths, destination: to.path, partition });
  for (const [at, report] of reports.entries()) {
    tellCopy(session.output, guests[at]?.word ?? '', to.path, report);
    if (report.failedCount > 0) session.exitCode = 1;
  }
}

function betweenGuests(from: Guest, to: Guest): CalveError {
  return new CalveError('unsupported', `cannot copy from ${from.name} to ${to.name} at once`, {
    hint: `calve cp ${from.word} ./between, then calve cp ./between ${to.word}`,
  });
}

function noGuest(from: string, to: string): CalveError {
  const colon = [from, to].find((word) => word.includes(':'));
  return new CalveError('usage', `neither ${from} nor ${to} lies in an environment or a version`, {
    hint:
      colon === undefined
        ? 'calve cp ENV:/path .'
        : `paths in a guest begin with a slash: ${colon.replace(':', ':/')}`,
  });
}
