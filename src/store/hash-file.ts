import { createHash } from 'node:crypto';
import { CalveError } from '../errors/index.ts';
import { type FileStat, type HostFile, openFile } from '../host/index.ts';
import { type Digest, digestOfHex } from '../oci/index.ts';

const CHUNK = 1 << 20;

/** A file's digest, and its status, which was the same before and after its bytes were read. */
export interface HashedFile {
  readonly digest: Digest;
  readonly stat: FileStat;
}

/** How a file is hashed. */
export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of each piece. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/**
 * Hashes the file at a path.
 * @throws CalveError `not-found`, `io`, `aborted`; `changed` when the file changed meanwhile
 */
export async function hashFile(path: string, options: HashOptions = {}): Promise<HashedFile> {
  await using file = await openFile(path);
  return await hashOpened(file, options);
}

/** As `hashFile`, of a file that is open. */
export async function hashOpened(file: HostFile, options: HashOptions = {}): Promise<HashedFile> {
  const { path } = file;
  const stat = file.stat();
  const hash = createHash('sha256');
  // The next piece is read while one is hashed.
  const piece = Math.max(1, Math.min(CHUNK, stat.size));
  let [current, next] = [Buffer.allocUnsafe(piece), Buffer.allocUnsafe(piece)];
  let reading = file.read(current, 0);
  for (let offset = 0; ; ) {
    const count = await reading;
    if (options.signal?.aborted) {
      throw new CalveError('aborted', `hashing ${path} was ended`, { cause: options.signal.reason });
    }
    if (count === 0) break;
    offset += count;
    reading = file.read(next, offset);
    hash.update(current.subarray(0, count));
    options.onBytes?.(count);
    [current, next] = [next, current];
  }
  const after = file.stat();
  if (after.ctimeNs !== stat.ctimeNs || after.size !== stat.size) {
    throw new CalveError('changed', `${path} changed while it was hashed`, { data: { path } });
  }
  return { digest: digestOfHex(hash.digest('hex')), stat };
}
