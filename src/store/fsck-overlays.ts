import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { imageLockHolders, type LockHolder, statFile } from '../host/index.ts';
import { checkQcow2 } from '../qcow2/index.ts';
import type { StoreContext } from './context.ts';
import { describeCheck } from './describe-check.ts';
import { OVERLAY } from './layout.ts';
import { listFolder } from './staging.ts';
import type { FsckReport, WorkOptions } from './types.ts';

/** What was found in the overlays of envs and trash, by their folders below the store. */
export interface OverlayFacts {
  /** What our check says against an overlay's structure. */
  readonly faults: Map<string, string>;
  /** Clusters that are leaked, of an env's overlay whose structure is sound otherwise. */
  readonly leaks: Map<string, number>;
  readonly skipped: FsckReport['skipped'][number][];
}

/**
 * Checks the structure of every overlay that nobody has open. Without a lock, which would keep a starting virtual machine
 * from its own: what was read while somebody came counts for nothing.
 */
export async function examineOverlays(context: StoreContext, options: WorkOptions): Promise<OverlayFacts> {
  const facts: OverlayFacts = { faults: new Map(), leaks: new Map(), skipped: [] };
  for (const room of ['envs', 'trash'] as const) {
    for (const name of await listFolder(join(context.layout.folder, room))) {
      await examineOverlay(context, `${room}/${name}`, facts, options);
    }
  }
  return facts;
}

/** Finds out what there is to know of one overlay, whatever was known before. */
export async function examineOverlay(
  context: StoreContext,
  place: string,
  facts: OverlayFacts,
  { signal }: WorkOptions,
): Promise<void> {
  facts.faults.delete(place);
  facts.leaks.delete(place);
  const path = join(context.layout.folder, place, OVERLAY);
  const before = statFile(path);
  if (before === undefined) return; // told when its header is looked at
  const holders = imageLockHolders(path);
  if (holders.length > 0) return skip(facts, place, inUseBy(holders));
  let fault: string | undefined;
  let leaks = 0;
  try {
    const report = await checkQcow2(path, { lock: false, maxFindings: 1, signal });
    fault = describeCheck(report, 'damage');
    if (fault === undefined) leaks = report.leaks;
  } catch (error) {
    if (!(error instanceof CalveError) || error.code === 'aborted') throw error;
    fault = error.message;
  }
  const after = statFile(path);
  if (after === undefined) return; // removed meanwhile
  const came = imageLockHolders(path);
  if (came.length > 0) return skip(facts, place, inUseBy(came));
  if (after.inode !== before.inode || after.ctimeNs !== before.ctimeNs) {
    return skip(facts, place, 'it was written meanwhile');
  }
  if (fault !== undefined) facts.faults.set(place, fault);
  else if (leaks > 0 && place.startsWith('envs/')) facts.leaks.set(place, leaks);
}

function skip(facts: OverlayFacts, place: string, why: string): void {
  facts.skipped.push({ where: place, message: `${place}/${OVERLAY}: its structure was not checked: ${why}` });
}

function inUseBy(holders: readonly LockHolder[]): string {
  return `in use by ${holders.map(({ command, pid }) => `${command} (pid ${pid})`).join(', ')}`;
}
