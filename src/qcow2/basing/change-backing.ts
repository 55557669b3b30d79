import { amendedHeader } from '../amend/amended-header.ts';
import { planAmendment } from '../amend/plan-amendment.ts';
import type { ImageWriter } from '../writing/image-writer.ts';
import { settleMetadata } from '../writing/settle-metadata.ts';

/** What an image is to be based on. */
export interface NewBacking {
  /** As the header is going to name it, word for word. */
  readonly file: string;
  readonly format: string;
}

/**
 * That the header has room for another backing file's name, and may have it.
 * @throws CalveError `out-of-range`, `usage`, `unsupported`
 */
export function checkBacking(writer: ImageWriter, backing: NewBacking | null): void {
  const { header, file } = writer.metadata;
  const amendment = amendmentOf(backing);
  planAmendment(file.path, header.current, amendment);
  header.checkRoom(amendedHeader(header.current, amendment));
}

/**
 * Names another backing file, in one write of the header, once all that was written before is durable. The caller holds
 * the writer's gate alone.
 * @throws CalveError as `checkBacking`; `io`, `no-space`
 */
export async function changeBacking(writer: ImageWriter, backing: NewBacking | null): Promise<void> {
  checkBacking(writer, backing);
  const { metadata, parts } = writer;
  const { header, file } = metadata;
  await parts.mutex.run(async () => {
    await settleMetadata(metadata);
    try {
      await header.replace(amendedHeader(header.current, amendmentOf(backing)));
      await file.barrier();
    } catch (error) {
      file.fail(error);
      throw error;
    }
  });
}

function amendmentOf(backing: NewBacking | null) {
  return backing === null
    ? { backingFile: null }
    : { backingFile: backing.file, backingFormat: backing.format };
}
