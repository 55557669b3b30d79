import type { ImageFile } from '../image-file.ts';
import type { RepairReport } from './check-report.ts';
import { CountedWindows } from './counted-windows.ts';
import { type Inspection, type InspectOptions, inspectImage, REFCOUNT_MEMORY } from './inspect-image.ts';
import { mendCopied } from './mend-copied.ts';
import { mendRefcounts, type WantedRefcount } from './mend-refcounts.ts';
import { MENDED_IN_TABLES, mendTables } from './mend-tables.ts';
import { planFlags } from './plan-flags.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';
import { clearDamageBits, dropBitmaps, dropUnknownFeatures } from './repair-header.ts';

/** How an image is repaired. */
export interface RepairImageOptions extends InspectOptions {
  /**
   * - `leaks`: clusters that nothing refers to are given back
   * - `all`: refcounts and COPIED flags say what is so, and entries that cannot be right read zeros
   */
  readonly repair: 'leaks' | 'all';
}

/** What was mended, in QEMU's two counts. */
interface Fixed {
  corruptions: number;
  leaks: number;
}

/**
 * Repairs the image in a file, in this order, with a barrier after each step:
 *
 * 1. autoclear features that nobody here keeps up are cleared
 * 2. entries that cannot be right come to lead nowhere, and damaged bitmaps are dropped: some clusters become leaks
 * 3. refcount structures that are broken are replaced as a whole (see rebuild-refcounts.ts); else
 *    a. refcounts that are too low are raised: no cluster in use can be given away any more
 *    b. COPIED is cleared where a cluster is shared: nobody writes in place any more to what others refer to
 *    c. refcounts that are too high are lowered: leaks are given back
 *    d. COPIED is set where a cluster has become nobody else's: no needless copies any more
 * 4. after another check has found nothing wrong, the bits that call for a repair are cleared
 *
 * A crash in between leaves each entry and each refcount as it was or as it is to be, and never a refcount lowered, nor
 * a flag set, before what makes that right is durable. Between a and b a check counts flags that contradict the raised
 * refcount, where before it counted the refcount: the danger is less, not more. Between c and d it counts missing
 * flags, which cost a copy.
 */
export async function repairImage(file: ImageFile, options: RepairImageOptions): Promise<RepairReport> {
  const { signal } = options;
  const before = await inspectImage(file, options);
  const fixed: Fixed = { corruptions: 0, leaks: 0 };
  let now = before;
  if (before.report.corruptions + before.report.leaks > 0) {
    await dropUnknownFeatures(file, before.survey.header);
    if (options.repair === 'all' && (await mendEntries(now, options, fixed))) {
      now = await inspectImage(file, options);
    }
    if (options.repair === 'all' && now.needsRebuild) now = await rebuild(now, options, fixed);
    signal?.throwIfAborted();
    if (!now.needsRebuild) await mendInPlace(now, options, fixed);
    now = await inspectImage(file, options);
  }
  if (now.report.corruptions + now.report.checkErrors === 0) await clearDamageBits(file, now.survey.header);
  const { corruptions: corruptionsFixed, leaks: leaksFixed } = fixed;
  return { ...now.report, corruptionsFixed, leaksFixed, before: before.report };
}

/** Step 2; whether anything was changed. */
async function mendEntries(now: Inspection, options: RepairImageOptions, fixed: Fixed): Promise<boolean> {
  const { survey } = now;
  const { log, file, header } = survey;
  const badBitmaps = log.countAll(['bitmap-directory-invalid', 'bitmap-table-entry-invalid']);
  if (badBitmaps > 0) await dropBitmaps(file, header);
  let mended = 0;
  if (log.countAll(MENDED_IN_TABLES) > 0) {
    const { refcountMemory = REFCOUNT_MEMORY, signal } = options;
    mended = await mendTables(survey, new CountedWindows(survey, refcountMemory, signal));
  }
  fixed.corruptions += badBitmaps + mended;
  return badBitmaps + mended > 0;
}

/** Step 3, of broken structures. */
async function rebuild(now: Inspection, options: RepairImageOptions, fixed: Fixed): Promise<Inspection> {
  const { survey, losesTrack } = now;
  // Without the snapshots, all that is theirs would count as free, and nothing would be left to say otherwise.
  if (survey.log.count('snapshot-table-unreadable') > 0) return now;
  const { refcountMemory = REFCOUNT_MEMORY, signal } = options;
  await rebuildRefcounts(survey, { refcountMemory, keepLeaks: losesTrack, signal });
  const after = await inspectImage(survey.file, options);
  fixed.corruptions += Math.max(0, now.report.corruptions - after.report.corruptions);
  fixed.leaks += Math.max(0, now.report.leaks - after.report.leaks);
  return after;
}

/** Step 3, of refcounts and flags alone. */
async function mendInPlace(now: Inspection, options: RepairImageOptions, fixed: Fixed): Promise<void> {
  const { survey, report, losesTrack } = now;
  const { refcountMemory = REFCOUNT_MEMORY, signal } = options;
  const windows = new CountedWindows(survey, refcountMemory, signal);
  const wanted = wantedRefcount(options.repair, losesTrack);
  // While other things are wrong, giving back leaks changes no flags but those that this makes wrong.
  const otherDamage = report.corruptions + report.checkErrors - survey.log.count('copied-wrong');
  const leaksAmongDamage = options.repair === 'leaks' && otherDamage > 0;
  const flags = await planFlags(survey, windows, wanted, leaksAmongDamage);
  if (options.repair === 'all') fixed.corruptions += await mendRefcounts(survey, windows, Math.max);
  if (!leaksAmongDamage) fixed.corruptions += await mendCopied(survey, windows, 'clear', flags.ones);
  fixed.leaks += await mendRefcounts(survey, windows, (stored, counted) => {
    return Math.min(stored, wanted(stored, counted));
  });
  fixed.corruptions += await mendCopied(survey, windows, 'set', flags.set);
}

/** What refcounts are to be. Where something leads astray, what seems to be leaked may be what it led to. */
function wantedRefcount(repair: 'leaks' | 'all', losesTrack: boolean): WantedRefcount {
  if (repair === 'leaks') return losesTrack ? (stored) => stored : Math.min;
  return losesTrack ? Math.max : (_stored, counted) => counted;
}
