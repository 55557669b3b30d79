import type { Digest } from '../oci/index.ts';

/** Where blobs may come from: another store, an OCI image layout, and whatever else can hand out bytes by digest. */
export interface BlobSource {
  /** What messages call it. */
  readonly name: string;
  /**
   * The bytes of a blob, in order; undefined when the source has no such blob. They are not trusted: whoever asks hashes
   * them, and stops reading when there are too many.
   * @throws CalveError `io`, `denied`, `aborted`, when opened or while it is read
   */
  open(digest: Digest, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined>;
}
