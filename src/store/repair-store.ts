import type { Digest } from '../oci/index.ts';
import type { BlobSource } from './blob-source.ts';
import type { StoreContext } from './context.ts';
import { judgeStore } from './fsck.ts';
import { type Survey, surveyStore } from './fsck-survey.ts';
import type { RepairOptions } from './options.ts';
import { fetchBlobs } from './repair-blobs.ts';
import { restoreModes } from './repair-modes.ts';
import { repairOverlays } from './repair-overlays.ts';
import { openRepairSource } from './repair-source.ts';
import { removeStrayStamps } from './repair-stamps.ts';
import type { FsckMended, FsckReport } from './types.ts';

/**
 * Verifies a store as `checkStore` does, and mends what can be mended: by itself what needs no source, from the source
 * each blob that is harmed or missing. Each mend is whole by itself, so that a crash leaves some done and some not, and
 * running it again goes on. The report tells of what is still wrong.
 */
export async function repairStore(context: StoreContext, options: RepairOptions): Promise<FsckReport> {
  const { from, registry } = options;
  await using cleanup = new AsyncDisposableStack();
  // What is wrong with the source is told before hours of hashing.
  const source =
    typeof from === 'string' ? cleanup.use(await openRepairSource(context, from, registry)) : from;
  const mended = await restoreModes(context);
  const survey = await surveyStore(context, options);
  // Nothing can be locked and settled before a person has dealt with these.
  if (survey.brokenMoves.size > 0) return { ...(await judgeStore(context, survey, options.signal)), mended };
  mended.push(...(await repairOverlays(context, survey.overlays, options)));
  let report = await judgeStore(context, survey, options.signal);
  if (source !== undefined) {
    const fetched = await fetchAll(context, source, survey, report, options);
    mended.push(...fetched.mended);
    report = fetched;
  }
  // Last: the layer of a stamp may have come back.
  const removed = await removeStrayStamps(context, report.problems);
  const gone = new Set(removed.map(({ where }) => where));
  const problems = report.problems.filter(({ where }) => !gone.has(where));
  return { ...report, problems, mended: [...mended, ...removed] };
}

/** A manifest that came names a config and layers, which may be missing too: so it goes round by round. */
async function fetchAll(
  context: StoreContext,
  source: BlobSource,
  survey: Survey,
  first: FsckReport,
  options: RepairOptions,
): Promise<FsckReport> {
  const mended: FsckMended[] = [];
  // Each is fetched once, also one that is harmed again as soon as it is in place.
  const tried = new Set<Digest>();
  const refused = new Map<Digest, string>();
  let report = first;
  for (;;) {
    const open = report.problems.filter(({ needs }) => needs !== null && !tried.has(needs));
    if (open.length === 0) break;
    const fetched = await fetchBlobs(context, source, survey, open, options);
    mended.push(...fetched.mended);
    for (const { needs } of open) if (needs !== null) tried.add(needs);
    for (const [blob, why] of fetched.refused) refused.set(blob, why);
    report = await judgeStore(context, survey, options.signal);
  }
  const problems = report.problems.map((problem) => {
    const why = problem.needs === null ? undefined : refused.get(problem.needs);
    return why === undefined ? problem : { ...problem, message: `${problem.message}; ${why}` };
  });
  return { ...report, problems, mended };
}
