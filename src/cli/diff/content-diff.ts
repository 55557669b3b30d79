import { createTwoFilesPatch, OMIT_HEADERS } from 'diff';
import { formatBytes } from '../../bytes/index.ts';
import { printablePath } from '../../guestfs/index.ts';
import type { FileContent, Store } from '../../store/index.ts';
import { printable } from '../printable.ts';
import type { Session } from '../session.ts';
import type { DiffOptions, DiffSides } from './diff-options.ts';

/** Bytes of a file that is compared by lines; beyond, only whether it differs is told. */
const MOST = 8 << 20;
/** Milliseconds; two large files that have nothing in common would take hours. */
const LONGEST = 5000;
/** As far as git looks for a zero byte, which no text has. */
const LOOKED_AT = 8000;

/** `calve diff --content PATH`: how a file differs, as a unified diff; of a binary file, that it does. */
export async function printContentDiff(
  session: Session,
  store: Store,
  { a, b }: DiffSides,
  { content: path, partition, exitCode }: DiffOptions & { readonly content: string },
): Promise<void> {
  const { output, signal } = session;
  const { before, after, differ } = await output.during(path, (onProgress) =>
    store.versions.fileContents(a, b, path, { partition, signal, onProgress, most: MOST }),
  );
  if (exitCode === true && differ) session.exitCode = 1;
  if (!differ) return output.say('nothing differs');
  if (output.quiet) return;
  const rooted = printablePath(Buffer.from(path.replace(/^\/*/, '/')));
  const names = [before, after].map((side, at) => (side === null ? '/dev/null' : `${'ab'[at]}${rooted}`));
  const patch = isText(before) && isText(after) ? unified(before, after) : undefined;
  if (patch === undefined) {
    const what = isText(before) && isText(after) ? 'Files' : 'Binary files';
    const sizes = [before, after].map((side) => (side === null ? 'none' : formatBytes(side.size)));
    return output.print(`${what} ${names[0]} (${sizes[0]}) and ${names[1]} (${sizes[1]}) differ`);
  }
  const head = `--- ${names[0]}\n+++ ${names[1]}\n`;
  // Text of whatever encoding goes through byte by byte; what controls a terminal does not reach one.
  const bytes = Buffer.from(patch, 'latin1');
  if (process.stdout.isTTY !== true) return output.write(Buffer.concat([Buffer.from(head), bytes]));
  output.print((head + printable(bytes.toString(), { lines: true })).trimEnd());
}

function isText(side: FileContent | null): boolean {
  return side === null || (side.bytes !== null && !side.bytes.subarray(0, LOOKED_AT).includes(0));
}

/** The hunks; undefined when the two have too little in common to be compared in a few seconds. */
function unified(before: FileContent | null, after: FileContent | null): string | undefined {
  const [old, now] = [before, after].map((side) => side?.bytes?.toString('latin1') ?? '');
  return createTwoFilesPatch('', '', old ?? '', now ?? '', '', '', {
    context: 3,
    headerOptions: OMIT_HEADERS,
    timeout: LONGEST,
  });
}
