import { HEADER_LENGTH_V3 } from './constants.ts';
import { decodeHeaderFields, encodeHeaderFields, type HeaderFields } from './header-fields.ts';
import type { ImageFile } from './image-file.ts';

/**
 * Changes fields of the header in place, in one write within its first sector. All that follows the fields, known or
 * not, stays as it is (trap 5).
 */
export async function patchHeader(file: ImageFile, change: Partial<HeaderFields>): Promise<void> {
  const bytes = await file.readStructure('the header', 0, Math.min(HEADER_LENGTH_V3, file.end));
  await file.write(encodeHeaderFields({ ...decodeHeaderFields(bytes), ...change }), 0);
}
