import { formatBytes } from '../../bytes/index.ts';
import type { BlockDifference, Store, WorkOptions } from '../../store/index.ts';
import type { Session } from '../session.ts';
import type { DiffOptions, DiffSides } from './diff-options.ts';

interface Total {
  readonly count: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

const LETTERS = { added: 'A', changed: 'M', removed: 'D' } as const;

/** `calve diff --blocks`: what differs, block by block. */
export async function printBlockDiff(
  session: Session,
  store: Store,
  { a, b }: DiffSides,
  options: DiffOptions,
): Promise<void> {
  const { output, signal } = session;
  const total = { count: 0, added: 0, changed: 0, removed: 0 };
  const ranges: BlockDifference[] = [];
  const list = options.stat !== true;
  const compare = async (onProgress?: WorkOptions['onProgress']): Promise<void> => {
    for await (const range of store.versions.diffBlocks(a, b, { signal, onProgress })) {
      total.count += 1;
      total[range.kind] += range.length;
      if (list && options.json === true) ranges.push(range);
      else if (list && !output.quiet) output.print(line(range));
    }
  };
  // Lines that are being listed show by themselves how far the work is.
  if (list && options.json !== true) await compare();
  else await output.during(b === undefined ? a : `${a} and ${b}`, compare);
  if (options.exitCode === true && total.count > 0) session.exitCode = 1;
  if (options.json === true) output.printJson({ a, b: b ?? null, ...total, ...(list ? { ranges } : {}) });
  else if (list || output.quiet) output.say(summary(total));
  else output.print(summary(total));
}

function line({ kind, offset, length }: BlockDifference): string {
  return `${LETTERS[kind]} ${column(offset)} ${column(length)}`;
}

function summary(total: Total): string {
  if (total.count === 0) return 'nothing differs';
  const ranges = total.count === 1 ? '1 range differs' : `${total.count} ranges differ`;
  return (
    `${ranges}: ${formatBytes(total.changed)} changed, ${formatBytes(total.added)} added, ` +
    `${formatBytes(total.removed)} removed`
  );
}

/** A number of bytes in a column wide enough for 8 TiB. */
function column(bytes: number): string {
  return String(bytes).padStart(13);
}
