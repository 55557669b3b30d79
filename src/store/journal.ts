import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { CalveError, systemError } from '../errors/index.ts';
import { renameDurably, statFile, syncFolder, writeFileDurably } from '../host/index.ts';
import { canonicalJson, parseDocument } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readText } from './read-text.ts';
import { appendRefMove, isLastRefMove, refMoveSchema } from './ref-log.ts';
import { discard, listFolder, type Staging } from './staging.ts';
import type { RefMove } from './types.ts';

/**
 * Moves of several steps. A move is a folder, made whole in staging: what it puts in place, and `record.json` with
 * its steps. One rename to `journal/<id>/` records it; then its steps are done, in order; then it is discarded.
 *
 * The first step decides. A process that finds a record (its writer is dead, for the store lock is held) drops it
 * when the first step's `from` is still there: then the move never happened. Otherwise it does the other steps, each
 * of which may have been done already. So QEMU, which knows nothing of a journal, sees an overlay change at one
 * instant, the first step, and what it writes before that instant is never swapped away by a later replay.
 */
export type Step =
  /** Paths below the store. */
  | { readonly rename: readonly [from: string, to: string] }
  /** The last step, once in a move. */
  | { readonly log: RefMove };

export interface MoveRecord {
  readonly command: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly steps: readonly Step[];
}

const RECORD = 'record.json';

const storePath = v.pipe(
  v.string(),
  v.check(
    (path) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'expected a path below the store',
  ),
);

const recordSchema: v.GenericSchema<unknown, MoveRecord> = v.object({
  command: v.string(),
  time: v.pipe(v.string(), v.isoTimestamp()),
  steps: v.pipe(
    v.array(
      v.union([v.object({ rename: v.tuple([storePath, storePath]) }), v.object({ log: refMoveSchema })]),
    ),
    v.minLength(1),
  ),
});

/** The folder, in staging, of the move that this staging folder may make, and the store path it will have. */
export function moveFolder(staging: Staging): { readonly folder: string; readonly recorded: string } {
  return { folder: staging.path('move'), recorded: `journal/${staging.id}` };
}

/**
 * Records a move and does it. The store lock is held, and the files in the move's folder are synced.
 *
 * @throws CalveError when it could not be recorded or its first step failed: nothing has happened. Once the first
 * step is done the move is decided; an error then says that the next command will finish it.
 */
export async function doMove(context: StoreContext, staging: Staging, record: MoveRecord): Promise<void> {
  const { folder } = moveFolder(staging);
  await writeFileDurably(join(folder, RECORD), canonicalJson(record));
  context.step('record the move');
  await renameDurably(folder, join(context.layout.journal, staging.id));
  try {
    await doFirstStep(context, record);
    await finish(context, staging.id, record);
  } catch (error) {
    if (!firstStepDone(context, record)) {
      await drop(context, staging.id);
      throw error;
    }
    const { code, message } = systemError('a later step failed', error);
    throw new CalveError(code, `${record.command} is done, but not yet everywhere in place: ${message}`, {
      hint: 'the next command finishes it',
      cause: error,
    });
  }
}

/** Puts right what writers that died had recorded. The store lock is held. */
export async function replayJournal(context: StoreContext): Promise<void> {
  for (const id of await listFolder(context.layout.journal)) {
    const record = await readRecord(context, id);
    if (firstStepDone(context, record)) await finish(context, id, record);
    else await drop(context, id);
  }
}

/** The ids of recorded moves that cannot be read, each with why. No crash leaves one. The store lock is held. */
export async function brokenMoves(context: StoreContext): Promise<Map<string, CalveError>> {
  const broken = new Map<string, CalveError>();
  for (const id of await listFolder(context.layout.journal)) {
    try {
      await readRecord(context, id);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      broken.set(id, error);
    }
  }
  return broken;
}

async function readRecord(context: StoreContext, id: string): Promise<MoveRecord> {
  const path = join(context.layout.journal, id, RECORD);
  try {
    return parseDocument(await readText(path), recordSchema, path);
  } catch (error) {
    const { code, message, data } = systemError(`cannot read ${path}`, error);
    throw new CalveError(code, message, { data, cause: error, hint: 'calve fsck' });
  }
}

/** Whether some move waits to be finished or dropped. */
export async function journalIsEmpty(context: StoreContext): Promise<boolean> {
  return (await listFolder(context.layout.journal)).length === 0;
}

/** The decisive step, durable before any other is begun. */
async function doFirstStep(context: StoreContext, record: MoveRecord): Promise<void> {
  const [step] = record.steps;
  if (step === undefined || !('rename' in step)) throw new TypeError('the first step of a move is a rename');
  const [from, to] = step.rename;
  context.step(`rename to ${to}`);
  await renameDurably(join(context.layout.folder, from), join(context.layout.folder, to));
}

function firstStepDone(context: StoreContext, record: MoveRecord): boolean {
  const [step] = record.steps;
  return (
    step !== undefined &&
    'rename' in step &&
    statFile(join(context.layout.folder, step.rename[0])) === undefined
  );
}

/** All but the first step, then the end of the record. Whatever was done already is left as it is. */
async function finish(context: StoreContext, id: string, record: MoveRecord): Promise<void> {
  const touched = new Set<string>();
  for (const step of record.steps.slice(1)) {
    if ('log' in step) {
      context.step('log the move');
      if (!isLastRefMove(context, step.log.id)) await appendRefMove(context, step.log);
      continue;
    }
    const [from, to] = step.rename.map((path) => join(context.layout.folder, path));
    if (from === undefined || to === undefined) continue;
    context.step(`rename to ${step.rename[1]}`);
    await renameOnce(from, to);
    touched.add(dirname(to));
  }
  // All in place and durable before the record goes.
  for (const folder of touched) if (statFile(folder) !== undefined) await syncFolder(folder);
  await drop(context, id);
}

/** Nothing where `from` is gone (done before), or `to`'s folder is (somebody removed by hand what this belongs to). */
async function renameOnce(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    const failed = systemError(`cannot rename ${from} to ${to}`, error);
    if (failed.code !== 'not-found') throw failed;
  }
}

async function drop(context: StoreContext, id: string): Promise<void> {
  const remove = await discard(context, join(context.layout.journal, id));
  await remove();
}
