import type { Survey } from '../check/survey.ts';
import type { SectorCipher } from '../encryption/index.ts';
import type { ImageFile } from '../image-file.ts';
import type { ImageHeader } from '../image-header.ts';
import type { AmendImageOptions } from './amend-options.ts';
import { downgradedHeader } from './amended-header.ts';
import { openBookkeeping } from './bookkeeping.ts';
import { ZeroExpander } from './zero-expander.ts';

/**
 * Makes a version 3 image one of version 2, which was found to have nothing that version 2 lacks, but zero flags: those
 * go first, for good, and then the header changes in one write.
 * @param survey of the image, whose L2 tables lie where they did
 * @throws CalveError `corrupt`, `no-space`, `io`; the signal's reason
 */
export async function downgradeImage(
  file: ImageFile,
  header: ImageHeader,
  survey: Survey,
  cipher: SectorCipher | undefined,
  { signal, onProgress }: AmendImageOptions,
): Promise<void> {
  const { l2, geometry } = survey;
  const expander = new ZeroExpander(await openBookkeeping(file, header), cipher);
  const total = l2.followed.length;
  for (const [place, index] of l2.followed.entries()) {
    signal?.throwIfAborted();
    await expander.expand({
      offset: l2.followedOffsets[place] ?? 0,
      times: l2.times[index] ?? 0,
      active: l2.activeTimes(index) > 0,
      guestOffset: l2.origin(index).l1Index * geometry.tableEntries * geometry.clusterSize,
    });
    onProgress?.({ stage: 'zeros', done: place + 1, total });
  }
  await expander.finish();
  await header.replace(downgradedHeader(header.current));
  await file.barrier();
}
