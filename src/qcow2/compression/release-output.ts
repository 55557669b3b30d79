/**
 * Frees the memory of what a synchronous zlib call returned; nothing may use `bytes` any more.
 *
 * Each call returns a fresh buffer of its `chunkSize`, outside the heap, and the collector lets tens of megabytes of
 * them pile up in each thread before it looks. Detaching the buffer frees it at once.
 *
 * @param chunkSize as it was given to the call
 */
export function releaseOutput(bytes: Uint8Array, chunkSize: number): void {
  const { buffer } = bytes;
  // What is smaller shares Node's buffer pool, and output of several chunks was joined in another buffer.
  const isOwn = chunkSize > Buffer.poolSize && buffer.byteLength === chunkSize;
  if (isOwn && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
