import { CalveError } from '../errors/index.ts';
import { inspectImage } from './check/inspect-image.ts';
import { MENDED_IN_TABLES } from './check/mend-tables.ts';
import { repairImage } from './check/repair-image.ts';
import type { ImageFile } from './image-file.ts';

/**
 * Rebuilds the refcounts of an image that was not closed, ahead of any writing to it, and clears the dirty bit (trap
 * 10), as QEMU does. That is all a crash with lazy refcounts calls for. Tables that cannot be right are another kind of
 * damage, and mending them costs data: the image is left alone then.
 * @returns what whoever opens the image should hear about it
 * @throws CalveError `corrupt`, with the command that mends the image; what `repairImage` throws
 */
export async function repairOnOpen(file: ImageFile): Promise<string> {
  const { path } = file;
  const { survey, report } = await inspectImage(file);
  if (survey.log.countAll(MENDED_IN_TABLES) > 0 || report.checkErrors > 0) throw damaged(path, report);
  const repaired = await repairImage(file, { repair: 'all' });
  const { corruptions, checkErrors, corruptionsFixed, leaksFixed } = repaired;
  if (corruptions + checkErrors > 0) throw damaged(path, repaired);
  const mended = `${corruptionsFixed} contradictions mended, ${leaksFixed} leaked clusters given back`;
  return `${path} was not closed: its refcounts were rebuilt (${mended})`;
}

function damaged(
  path: string,
  report: { readonly corruptions: number; readonly checkErrors: number },
): CalveError {
  const { corruptions, checkErrors } = report;
  return new CalveError(
    'corrupt',
    `${path}: the image was not closed, and more than its refcounts is wrong; it can be read, and written once it is repaired`,
    { hint: `qemu-img check -r all ${path}`, data: { path, feature: 'dirty', corruptions, checkErrors } },
  );
}
