import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { openFile, statFile } from '../host/index.ts';
import { type Digest, hexOf, imageLayoutSchema, parseDocument } from '../oci/index.ts';
import { openRepository, type RegistryOptions } from '../registry/index.ts';
import type { BlobSource } from './blob-source.ts';
import type { StoreContext } from './context.ts';
import { readText } from './read-text.ts';
import { looksRemote } from './remotes/looks-remote.ts';
import { RegistryBlobs } from './remotes/registry-blobs.ts';
import { parseRemote } from './remotes/remote-name.ts';

/**
 * The source that a text names: a repository of a registry, the folder of another store, or of any OCI image layout. A tag or
 * ref in it is of no matter: blobs are asked for by their digests. A folder need not be written as a path here.
 * @throws CalveError `not-found`; `usage` for the store itself; `corrupt` for a layout of another version
 */
export async function openRepairSource(
  context: StoreContext,
  text: string,
  registry: RegistryOptions | undefined,
): Promise<BlobSource & AsyncDisposable> {
  const isFolder = statFile(text)?.kind === 'folder' || !looksRemote(text);
  const remote = isFolder ? { kind: 'folder' as const, folder: resolve(text) } : parseRemote(text);
  if (remote.kind === 'registry') return new RegistryBlobs(openRepository(remote.reference, registry));
  const { folder } = remote;
  const layoutFile = join(folder, 'oci-layout');
  if (statFile(layoutFile) === undefined) {
    const what =
      statFile(folder)?.kind === 'folder' ? 'is neither a store nor an OCI image layout' : 'is not there';
    throw new CalveError('not-found', `source ${text}: ${folder} ${what}`);
  }
  parseDocument(await readText(layoutFile), imageLayoutSchema, layoutFile);
  if (realpathSync(folder) === context.layout.folder) {
    throw new CalveError('usage', `source ${text} is the store that is to be repaired`);
  }
  return new LayoutBlobs(text, folder);
}

const CHUNK = 1 << 20;

/** An OCI image layout in a folder. Takes no lock there: a blob that goes away meanwhile is one that it has not. */
class LayoutBlobs implements BlobSource, AsyncDisposable {
  readonly name: string;
  readonly #blobs: string;

  constructor(name: string, folder: string) {
    this.name = name;
    this.#blobs = join(folder, 'blobs', 'sha256');
  }

  async open(digest: Digest, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined> {
    const path = join(this.#blobs, hexOf(digest));
    return statFile(path) === undefined ? undefined : readPieces(path, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function* readPieces(path: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  await using file = await openFile(path);
  const piece = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; ; ) {
    if (signal?.aborted)
      throw new CalveError('aborted', `reading ${path} was ended`, { cause: signal.reason });
    const count = await file.read(piece, at);
    if (count === 0) return;
    yield piece.subarray(0, count);
    at += count;
  }
}
