import { CalveError } from '../../errors/index.ts';
import { type HostFile, lockImage, openFile } from '../../host/index.ts';

/**
 * Opens a file for a new image, an empty one: made, or emptied of what it held.
 * @throws CalveError `in-use`, `denied`, `unsupported`, `io`
 */
export async function openNewFile(path: string): Promise<HostFile> {
  try {
    return await openFile(path, { create: true });
  } catch (error) {
    if (!CalveError.is(error, 'exists')) throw error;
  }
  const file = await openFile(path, { writable: true });
  try {
    lockImage(file, 'write');
    await file.truncate(0);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
