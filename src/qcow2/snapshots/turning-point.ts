import type { ImageFile } from '../image-file.ts';
import type { HeaderChange } from '../image-header.ts';
import type { ImageMetadata } from '../writing/metadata-commit.ts';

/** Runs what comes ahead of the one write that decides: after an error everything is as it was. */
export async function before<T>(
  file: ImageFile,
  prepare: () => Promise<T>,
  undo: () => Promise<void>,
): Promise<T> {
  try {
    return await prepare();
  } catch (error) {
    try {
      await undo();
    } catch (second) {
      file.fail(
        new AggregateError([error, second], 'a change of snapshots failed, and so did taking it back'),
      );
    }
    throw error;
  }
}

/**
 * The one write that decides, and what is left to do after it. When an error cuts this short, the file takes no more
 * writes: what is left are leaks, and flags that the dirty bit stands for.
 */
export async function decide(
  { file, header }: ImageMetadata,
  change: HeaderChange,
  after: () => Promise<void>,
): Promise<void> {
  try {
    await header.patch(change);
    await file.barrier();
    await after();
  } catch (error) {
    file.fail(error);
    throw error;
  }
}
