import type { HeaderChange } from '../image-header.ts';
import type { ImageWriter } from '../writing/image-writer.ts';

/**
 * Changes the header, and makes that durable. After a failure nobody knows which header the file has, and with it which
 * L1 table counts: so the file takes no more writes.
 */
export async function changeHeader(writer: ImageWriter, change: HeaderChange): Promise<void> {
  const { header, file } = writer.metadata;
  try {
    await header.patch(change);
    await file.barrier();
  } catch (error) {
    file.fail(error);
    throw error;
  }
}
