import { CalveError } from '../../errors/index.ts';
import { inspectImage } from '../check/inspect-image.ts';
import { repairImage } from '../check/repair-image.ts';
import type { Survey } from '../check/survey.ts';
import type { ImageFile } from '../image-file.ts';
import { ImageHeader } from '../image-header.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import { readHeader } from '../read-header.ts';
import type { AmendImageOptions } from './amend-options.ts';
import { amendedHeader, downgradedHeader, upgradedHeader } from './amended-header.ts';
import { changeRefcountWidth, checkRefcountsFit } from './change-refcount-width.ts';
import { checkDowngrade } from './check-downgrade.ts';
import { downgradeImage } from './downgrade-image.ts';
import { type AmendmentPlan, isNothing, planAmendment } from './plan-amendment.ts';
import { upgradeImage } from './upgrade-image.ts';

/**
 * Amends the image in a file. First everything that can be refused is refused; then come, each durable before the next:
 *
 * 1. autoclear features that nobody here keeps up are cleared (trap 4)
 * 2. version 3, if it is to be that
 * 3. refcounts of another width
 * 4. names and flags, in one write of the header
 * 5. version 2, if it is to be that
 *
 * An image that was not closed is repaired before (trap 10). Where more than names and flags changes, the image must
 * pass a check: its refcounts decide what is written where.
 *
 * @returns the header as it is then
 * @throws CalveError as `amendQcow2`; the signal's reason
 */
export async function amendImage(file: ImageFile, options: AmendImageOptions): Promise<Qcow2Header> {
  let header = new ImageHeader(file, await readImageHeader(file));
  const plan = planAmendment(file.path, header.current, options);
  if (isNothing(plan)) return header.current;
  refuseCorrupt(file, header.current);
  checkRoom(header, plan, options);
  if (header.current.incompatible.has('dirty')) header = await repaired(file, options);
  const { refcountBits, upgrade, downgrade } = plan;
  const survey =
    upgrade || downgrade || refcountBits !== undefined
      ? await inspect(file, options, !downgrade && (refcountBits ?? 0) > header.current.refcountBits)
      : undefined;
  if (refcountBits !== undefined) await checkRefcountsFit(file, header, refcountBits, options.signal);
  const cipher = survey && downgrade ? await checkDowngrade(survey, options) : undefined;
  try {
    await clearUnknownAutoclear(file, header);
    if (upgrade) await upgradeImage(file, header);
    if (refcountBits !== undefined) await changeRefcountWidth(file, header, refcountBits, options);
    if (plan.header) {
      await header.replace(amendedHeader(header.current, options));
      await file.barrier();
    }
    if (survey && downgrade) await downgradeImage(file, header, survey, cipher, options);
  } finally {
    cipher?.[Symbol.dispose]();
  }
  return header.current;
}

function refuseCorrupt({ path }: ImageFile, { incompatible }: Qcow2Header): void {
  if (!incompatible.has('corrupt')) return;
  throw new CalveError(
    'corrupt',
    `${path}: the image is marked corrupt; it can be amended once it is repaired`,
    {
      hint: `qemu-img check -r all ${path}`,
      data: { path, feature: 'corrupt' },
    },
  );
}

/** That every header on the way fits into the first cluster. */
function checkRoom(header: ImageHeader, plan: AmendmentPlan, options: AmendImageOptions): void {
  let next = header.current;
  if (plan.upgrade) next = upgradedHeader(next);
  header.checkRoom(next);
  next = amendedHeader(next, options);
  header.checkRoom(next);
  if (plan.downgrade) header.checkRoom(downgradedHeader(next));
}

async function repaired(file: ImageFile, { signal }: AmendImageOptions): Promise<ImageHeader> {
  await repairImage(file, { repair: 'all', signal });
  const header = await readImageHeader(file);
  if (header.incompatible.has('dirty')) throw damaged(file, 'what a repair could not mend');
  return new ImageHeader(file, header);
}

/**
 * Checks the image, as its refcounts and tables are going to be relied upon.
 * @param widens refcounts that lack room for all references do no harm: more room is what is asked for
 */
async function inspect(
  file: ImageFile,
  { signal, onProgress }: AmendImageOptions,
  widens: boolean,
): Promise<Survey> {
  const { survey, report } = await inspectImage(file, {
    signal,
    onProgress: (progress) => onProgress?.({ stage: 'check', ...progress }),
  });
  const [first] = report.findings.filter(
    ({ severity, kind }) =>
      (severity === 'corruption' || severity === 'error') && !(widens && kind === 'refcount-overflow'),
  );
  const harmless = widens ? survey.log.count('refcount-overflow') : 0;
  if (report.corruptions + report.checkErrors > harmless) {
    throw damaged(file, first ? `${first.kind} at ${first.hostOffset}` : 'damage');
  }
  for (const kind of ['overlap', 'zero-flag-in-version-2'] as const) {
    if (survey.log.count(kind) > 0) throw damaged(file, kind);
  }
  return survey;
}

function damaged({ path }: ImageFile, what: string): CalveError {
  return new CalveError('corrupt', `${path}: expected an image that passes a check, got ${what}`, {
    hint: `qemu-img check -r all ${path}`,
    data: { path },
  });
}

/** Section "Header", autoclear_features: who writes to an image first clears the features that it does not know. */
async function clearUnknownAutoclear(file: ImageFile, header: ImageHeader): Promise<void> {
  const { autoclear } = header.current;
  const known = [...autoclear].filter((feature) => typeof feature === 'string');
  if (known.length === autoclear.size) return;
  await header.patch({ autoclear: new Set(known) });
  await file.barrier();
}

/** As a file reads, which ends where it ends: a header cut short must not be filled up with zeros. */
function readImageHeader(file: ImageFile): Promise<Qcow2Header> {
  const read = async (into: Uint8Array, offset: number): Promise<number> => {
    const length = Math.max(0, Math.min(into.length, file.end - offset));
    await file.read(into.subarray(0, length), offset);
    return length;
  };
  return readHeader({ path: file.path, read });
}
