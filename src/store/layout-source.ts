import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { openFile, statFile } from '../host/index.ts';
import { type Digest, hexOf, imageLayoutSchema, parseDocument } from '../oci/index.ts';
import type { BlobSource } from './blob-source.ts';
import type { StoreContext } from './context.ts';
import { readText } from './read-text.ts';

/** `skopeo`'s way to name a layout. */
const OCI = 'oci:';
/** How registries are named: a scheme, or a host (with a dot, a port, or localhost) ahead of a slash. */
const REGISTRY = /^(?:[a-z][a-z0-9+-]*:\/\/|(?:localhost|[^/]*[.:][^/]*)\/[^/])/i;

/**
 * The source that a text names: the folder of another store, or of any OCI image layout, with or without `oci:` before it.
 * @throws CalveError `not-found`; `unsupported` for a registry; `usage` for the store itself; `corrupt` for a layout of
 * another version
 */
export async function openLayoutSource(context: StoreContext, text: string): Promise<BlobSource> {
  const folder = resolve(text.startsWith(OCI) ? text.slice(OCI.length) : text);
  const layoutFile = join(folder, 'oci-layout');
  if (statFile(layoutFile) === undefined) {
    const isFolder = statFile(folder)?.kind === 'folder';
    if (!isFolder && REGISTRY.test(text)) throw registry(text);
    const what = isFolder ? 'is neither a store nor an OCI image layout' : 'is not there';
    throw new CalveError('not-found', `source ${text}: ${folder} ${what}`);
  }
  parseDocument(await readText(layoutFile), imageLayoutSchema, layoutFile);
  if (realpathSync(folder) === context.layout.folder) {
    throw new CalveError('usage', `source ${text} is the store that is to be repaired`);
  }
  return new LayoutSource(text, folder);
}

function registry(text: string): CalveError {
  return new CalveError('unsupported', `source ${text}: blobs cannot be fetched from a registry yet`, {
    hint: `skopeo copy docker://… oci:DIR, then calve fsck --repair --from oci:DIR`,
  });
}

const CHUNK = 1 << 20;

/** An OCI image layout in a folder. Takes no lock there: a blob that goes away meanwhile is one that it has not. */
class LayoutSource implements BlobSource {
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
