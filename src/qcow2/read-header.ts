import { CalveError } from '../errors/index.ts';
import { MAX_CLUSTER_BITS } from './constants.ts';
import { decodeHeader } from './header.ts';
import { decodeHeaderFields } from './header-fields.ts';
import type { ImageStorage } from './image-storage.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** As much of the file as holds the whole header of an image with clusters of the default size. */
const FIRST_READ = 64 * 1024;

/** What the last one read into, for the next: nothing of it is kept in a header. */
let spare: Uint8Array | undefined;

/**
 * Reads and validates the header of an image (QCOW2.md, lines 1 to 9).
 * @param file a HostFile, or what reads as one
 * @throws CalveError `invalid` or `unsupported`, naming the file, the field and its value; `io`
 */
export async function readHeader(file: Pick<ImageStorage, 'path' | 'read'>): Promise<Qcow2Header> {
  const buffer = spare ?? new Uint8Array(FIRST_READ);
  spare = undefined;
  try {
    const bytes = await readStart(file, buffer);
    const { clusterBits } = decodeHeaderFields(bytes);
    const more = clusterBits <= MAX_CLUSTER_BITS && 2 ** clusterBits > FIRST_READ;
    return decodeHeader(more ? await readStart(file, new Uint8Array(2 ** clusterBits)) : bytes);
  } catch (error) {
    if (!CalveError.is(error, 'invalid') && !CalveError.is(error, 'unsupported')) throw error;
    throw new CalveError(error.code, `${file.path}: ${error.message}`, {
      cause: error,
      data: { ...error.data, path: file.path },
    });
  } finally {
    spare = buffer;
  }
}

async function readStart(file: Pick<ImageStorage, 'read'>, into: Uint8Array): Promise<Uint8Array> {
  return into.subarray(0, await file.read(into, 0));
}
