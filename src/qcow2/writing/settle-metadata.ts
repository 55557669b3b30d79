import { commitMetadata, type ImageMetadata, isDirty } from './metadata-commit.ts';

/**
 * Commits until nothing is left, the refcounts of what is no longer used among it, as a plain commit leaves those for
 * the next one.
 */
export async function settleMetadata(image: ImageMetadata): Promise<void> {
  do await commitMetadata(image);
  while (isDirty(image));
}
