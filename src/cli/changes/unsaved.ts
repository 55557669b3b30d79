import { formatBytes } from '../../bytes/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { EnvStatus, Store, UnsavedFiles } from '../../store/index.ts';
import { count } from '../count.ts';
import { differenceLine } from './file-change-line.ts';

/** What an environment holds that is saved in no version; or, in words, why that cannot be told. */
export type Unsaved = UnsavedFiles | string;

/**
 * Looks into an environment that has changes; null: it has none, or its files cannot be looked at while it is in use.
 * Whatever keeps its files from being told is told in its place.
 *
 * @param signal ends it
 * @param until gives it up when there is no more time
 */
export async function lookForUnsaved(
  store: Store,
  env: Pick<EnvStatus, 'name' | 'changedClusters'>,
  signal: AbortSignal,
  until?: AbortSignal,
): Promise<Unsaved | null> {
  if (env.changedClusters === null || env.changedClusters === 0) return null;
  try {
    const either = until === undefined ? signal : AbortSignal.any([signal, until]);
    return await store.envs.unsavedFiles(env.name, { signal: either });
  } catch (error) {
    if (signal.aborted) throw error;
    if (until?.aborted === true) return 'that takes longer than a moment';
    if (!(error instanceof CalveError)) throw error;
    return error.code === 'in-use' ? null : error.message;
  }
}

/** The lines that tell it, for people; none when there is nothing to tell. */
export function* describeUnsaved(name: string, unsaved: Unsaved | null): Generator<string> {
  if (unsaved === null) return;
  if (typeof unsaved === 'string') {
    yield `its files are not listed: ${unsaved}`;
    return;
  }
  const { changes, largest, other } = unsaved;
  const total = changes.added + changes.modified + changes.deleted + changes.renamed;
  if (unsaved.count > 0) {
    yield `${count(unsaved.count, 'file')} saved in no version, ${formatBytes(unsaved.bytes)}${unsaved.count > largest.length ? '; the largest' : ''}:`;
    for (const each of largest) yield `  ${line(each)}`;
  }
  // A disk without any file system is no surprise to anybody.
  for (const each of other)
    if (each.volume.number !== 0 || each.volume.kind !== null) yield `  ${line(each)}`;
  if (total === 0) return;
  const words = Object.entries(changes).flatMap(([kind, number]) =>
    number === 0 ? [] : [`${number} ${kind}`],
  );
  yield `${words.join(', ')} in all: calve diff ${name}`;
}

function line(difference: UnsavedFiles['largest'][number] | UnsavedFiles['other'][number]): string {
  return differenceLine(difference, { escape: true }).toString().trimEnd();
}
