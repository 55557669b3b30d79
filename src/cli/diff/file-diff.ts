import type { DiskDifference, Store } from '../../store/index.ts';
import { fileChangeJson, partitionChangeJson } from '../changes/change-json.ts';
import { differenceLine } from '../changes/file-change-line.ts';
import { ChangeTally } from '../changes/tally.ts';
import type { Session } from '../session.ts';
import type { DiffOptions, DiffSides } from './diff-options.ts';

/** `calve diff`: which files differ. */
export async function printFileDiff(
  session: Session,
  store: Store,
  sides: DiffSides,
  options: DiffOptions,
): Promise<void> {
  const { output, signal } = session;
  const { partition, renames } = options;
  const tally = new ChangeTally();
  const lists = options.stat !== true && (options.json === true || !output.quiet);
  await output.during(sides.b === undefined ? sides.a : `${sides.a} and ${sides.b}`, async (onProgress) => {
    const found = store.versions.diffFiles(sides.a, sides.b, { partition, renames, signal, onProgress });
    const counted = (async function* () {
      for await (const difference of found) {
        tally.add(difference);
        yield difference;
      }
    })();
    if (options.json === true) await output.writeAll(json(sides, counted, tally, lists));
    else if (lists) await output.writeAll(lines(counted, options));
    else for await (const _ of counted);
  });
  if (options.exitCode === true && !tally.isEmpty) session.exitCode = 1;
  if (options.json === true) return;
  // Names alone are for programs.
  if (options.stat === true && !output.quiet) output.print(tally.summary());
  else if (options.nameStatus !== true) output.say(tally.summary());
}

async function* lines(found: AsyncIterable<DiskDifference>, options: DiffOptions): AsyncGenerator<Buffer> {
  const isTerminal = process.stdout.isTTY === true;
  for await (const difference of found) {
    yield differenceLine(difference, { escape: isTerminal, nameStatus: options.nameStatus === true });
  }
}

/** One file a line: there may be more than memory holds. */
async function* json(
  { a, b }: DiffSides,
  found: AsyncIterable<DiskDifference>,
  tally: ChangeTally,
  lists: boolean,
): AsyncGenerator<Buffer> {
  yield Buffer.from(JSON.stringify({ a, b: b ?? null }).slice(0, -1));
  if (lists) yield Buffer.from(',"files":[');
  const partitions: unknown[] = [];
  let separator = '\n';
  for await (const difference of found) {
    if (difference.what !== 'file') {
      partitions.push(partitionChangeJson(difference));
      continue;
    }
    if (!lists) continue;
    yield Buffer.from(separator + JSON.stringify(fileChangeJson(difference)));
    separator = ',\n';
  }
  const { added, modified, deleted, renamed, addedBytes, modifiedBytes, deletedBytes } = tally;
  const total = { added, modified, deleted, renamed, addedBytes, modifiedBytes, deletedBytes };
  yield Buffer.from(`${lists ? '\n]' : ''},${JSON.stringify({ partitions, ...total }).slice(1)}\n`);
}
