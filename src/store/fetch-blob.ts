import { createHash } from 'node:crypto';
import { CalveError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { type Digest, digestOfHex, shortDigest } from '../oci/index.ts';
import type { BlobSource } from './blob-source.ts';
import { BLOB_MODE } from './publish.ts';
import { sealStaged } from './staging.ts';

/**
 * Writes a blob's bytes, durably, to a new file in staging. What comes from the source is hashed on its way: a file that
 * is there when this returns true has the right bytes.
 *
 * @param most bytes: more than that is refused
 * @returns false when the source has not got it
 * @throws CalveError `changed` when the source's bytes are others; `no-space`; what the source throws
 */
export async function fetchBlob(
  source: BlobSource,
  blob: Digest,
  path: string,
  options: {
    readonly most: number;
    readonly signal?: AbortSignal | undefined;
    readonly onBytes?: ((count: number) => void) | undefined;
  },
): Promise<boolean> {
  const bytes = await source.open(blob, options.signal);
  if (bytes === undefined) return false;
  await using file = await openFile(path, { create: true, mode: BLOB_MODE });
  const hash = createHash('sha256');
  let at = 0;
  for await (const piece of bytes) {
    if (at + piece.length > options.most) {
      throw new CalveError('changed', `its blob has more than the ${options.most} bytes that were expected`);
    }
    hash.update(piece);
    await file.write(piece, at);
    at += piece.length;
    options.onBytes?.(piece.length);
  }
  const found = digestOfHex(hash.digest('hex'));
  if (found !== blob) {
    throw new CalveError('changed', `its blob has changed too: the bytes hash to ${shortDigest(found)}…`);
  }
  await sealStaged(file, BLOB_MODE);
  return true;
}
