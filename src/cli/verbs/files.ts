import { type OpenedVolume, walkTree } from '../../guestfs/index.ts';
import { type ListedFile, listedFile } from '../guest-file.ts';
import { guestFileJson } from '../guest-file-json.ts';
import { guestFileLine } from '../guest-file-line.ts';
import { parseGuestTarget } from '../guest-target.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';
import { withGuestTree } from '../with-guest-tree.ts';

interface Options {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly partition?: string;
  readonly json?: boolean;
}

/** `calve files ENV|REF[:PATH]` */
export const files: Verb = {
  examples: [
    { line: 'calve files debian:12:/etc', does: 'the names in a directory of a version' },
    { line: 'calve files -lR quiet-otter:/home', does: 'all below it, with modes, owners, sizes and times' },
    { line: 'calve files --json -R debian:12', does: 'every file, for programs' },
  ],
  declare: (command, session) => {
    command
      .argument(
        '<env|ref[:path]>',
        'an environment or a version, a colon, and a path inside (default: the root)',
      )
      .option('-l, --long', 'type and mode, links, owner, group, size, time (UTC) and where symlinks point')
      .option('-R, --recursive', 'everything below, too')
      .option(
        '-p, --partition <partition>',
        'the number, label or UUID of the partition, or GROUP/NAME of a logical volume',
      )
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (word: string, options: Options) => {
        const { name, path = '/' } = parseGuestTarget(word);
        await withGuestTree(session, name, options.partition, async (guest) => {
          const listed = listFiles(session, guest, path, options.recursive ?? false);
          if (options.json === true) await printJson(session, guest, { name, path }, listed);
          else await printLines(session, listed, options.long === true && !session.output.quiet);
        });
      });
  },
};

/** The files in a directory; of anything else, itself, by the path that was typed. */
async function* listFiles(
  session: Session,
  { tree }: OpenedVolume,
  path: string,
  recursive: boolean,
): AsyncGenerator<ListedFile> {
  const at = await tree.lookup(path, { follow: true });
  if (at.type !== 'directory') {
    yield listedFile(tree, { path: Buffer.from(path), inode: await tree.lookup(path, { follow: false }) });
    return;
  }
  for await (const file of walkTree(tree, at, { recursive, signal: session.signal })) {
    yield listedFile(tree, file);
  }
}

async function printLines(session: Session, listed: AsyncIterable<ListedFile>, long: boolean): Promise<void> {
  const isTerminal = process.stdout.isTTY === true;
  await session.output.writeAll(
    (async function* () {
      for await (const file of listed) yield await guestFileLine(file, { long, escape: isTerminal });
    })(),
  );
}

/** One file a line: there may be more than memory holds. */
async function printJson(
  session: Session,
  { volume, tree }: OpenedVolume,
  { name, path }: { readonly name: string; readonly path: string },
  listed: AsyncIterable<ListedFile>,
): Promise<void> {
  const head = JSON.stringify({
    name,
    path,
    partition: volume.number,
    logicalVolume: volume.isLogical ? volume.name : null,
    kind: tree.kind,
  });
  await session.output.writeAll(
    (async function* () {
      yield Buffer.from(`${head.slice(0, -1)},"files":[`);
      let separator = '\n';
      for await (const file of listed) {
        yield Buffer.from(separator + JSON.stringify(await guestFileJson(file)));
        separator = ',\n';
      }
      yield Buffer.from('\n]}\n');
    })(),
  );
}
