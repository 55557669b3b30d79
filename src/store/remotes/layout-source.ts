import { join } from 'node:path';
import { CalveError } from '../../errors/index.ts';
import { type HostFile, openFile, statFile } from '../../host/index.ts';
import {
  ANNOTATION_REF_NAME,
  type Digest,
  digestOf,
  hexOf,
  imageIndexSchema,
  imageLayoutSchema,
  isDigest,
  MEDIA_TYPE_MANIFEST,
  parseDocument,
} from '../../oci/index.ts';
import type { TransferProgress } from '../../registry/index.ts';
import { hashOpened } from '../hash-file.ts';
import { LARGEST_MANIFEST } from '../manifests.ts';
import { readText } from '../read-text.ts';
import { parseRefName } from '../ref-name.ts';
import type { LayerInfo } from '../types.ts';
import { decodePushed } from './pushed-ref.ts';
import type { LayerSource, TransferOptions, VersionSource } from './version-source.ts';

/**
 * A version of another store, or of an OCI image layout that a program copied from a registry. No lock is taken there: a
 * blob that goes away meanwhile is an error. Its name is `FOLDER:REF`, as the layout has the ref.
 *
 * @param wanted a name that the layout has for it (a store only has refs, a copy of skopeo's has what it was told), a ref's
 * name in its short form, or a version's digest
 * @throws CalveError `not-found`, `corrupt`; `unsupported` for what is no version; `usage` for what can be no name
 */
export async function openLayoutSource(folder: string, wanted: string): Promise<VersionSource> {
  const layoutFile = join(folder, 'oci-layout');
  if (statFile(layoutFile) === undefined) {
    throw new CalveError('not-found', `${folder} is neither a store nor an OCI image layout`);
  }
  parseDocument(await readText(layoutFile), imageLayoutSchema, layoutFile);
  const blobs = join(folder, 'blobs', 'sha256');
  const indexFile = join(folder, 'index.json');
  const index = parseDocument(await readText(indexFile), imageIndexSchema, indexFile);
  const named = (name: string) =>
    index.manifests.find(({ annotations }) => annotations?.[ANNOTATION_REF_NAME] === name);
  const ref = isDigest(wanted) || named(wanted) !== undefined ? wanted : parseRefName(wanted);
  const found = named(ref) ?? index.manifests.find(({ digest }) => digest === ref);
  const digest = found?.digest ?? (isDigest(ref) ? ref : undefined);
  const bytes = digest === undefined ? undefined : await readDocument(blobs, digest);
  if (digest === undefined || bytes === undefined)
    throw new CalveError('not-found', `${folder} has no ${ref}`);
  const name = `${folder}:${ref}`;
  const mediaType = found?.mediaType ?? MEDIA_TYPE_MANIFEST;
  const [tip, ...older] = decodePushed({ digest, mediaType, bytes }, name);
  return new LayoutSource(name, blobs, [tip.digest, ...older.map((each) => each.digest)]);
}

/** A blob's bytes that hash to its name; undefined where there is none. */
async function readDocument(blobs: string, digest: Digest): Promise<Buffer | undefined> {
  const path = join(blobs, hexOf(digest));
  const stat = statFile(path);
  if (stat === undefined) return undefined;
  if (stat.size > LARGEST_MANIFEST) {
    throw new CalveError('corrupt', `${path}: expected a document of at most ${LARGEST_MANIFEST} bytes`);
  }
  await using file = await openFile(path);
  const bytes = Buffer.alloc(stat.size);
  const count = await file.read(bytes, 0);
  const found = digestOf(bytes.subarray(0, count));
  if (found === digest) return bytes;
  throw new CalveError('changed', `${path}: its bytes hash to ${found}`, { data: { blob: digest, found } });
}

/** The layers among the blobs of another store, or of an OCI image layout. */
export class LayoutLayers implements LayerSource {
  readonly name: string;
  /** The folder of blobs. */
  readonly blobs: string;

  constructor(name: string, blobs: string) {
    this.name = name;
    this.blobs = blobs;
  }

  /**
   * A reflink where the file system has them, else a copy; hashed in either case. Never a hard link: what harms the file
   * there would harm it here, and a store that is a backup would be none.
   */
  async layer(layer: LayerInfo, file: HostFile, options: TransferOptions): Promise<TransferProgress> {
    const { digest, size } = layer;
    const { signal, onProgress } = options;
    const path = join(this.blobs, hexOf(digest));
    if (statFile(path) === undefined) throw missing(this.name, digest);
    await using source = await openFile(path);
    const found = source.stat().size;
    if (found !== size) {
      throw new CalveError('changed', `${path}: expected ${size} bytes, got ${found}`);
    }
    const cloned = source.cloneTo(file);
    const report = (done: number): void => {
      onProgress?.({ done, total: size, moved: cloned ? 0 : done, there: 0 });
    };
    if (!cloned) {
      await file.truncate(0);
      await source.copyTo(file, 0, 0, size, { onProgress: report, ...(signal && { signal }) });
    }
    const hashed = await hashOpened(file, { signal });
    if (hashed.digest !== digest) {
      await file.truncate(0);
      throw new CalveError('changed', `${path}: its bytes hash to ${hashed.digest}`, {
        data: { blob: digest, found: hashed.digest },
      });
    }
    report(size);
    return { done: size, total: size, moved: cloned ? 0 : size, there: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

class LayoutSource extends LayoutLayers implements VersionSource {
  readonly tip: Digest;
  readonly listed: readonly Digest[];

  constructor(name: string, blobs: string, listed: readonly [Digest, ...Digest[]]) {
    super(name, blobs);
    [this.tip] = listed;
    this.listed = listed;
  }

  manifest(digest: Digest): Promise<Buffer | undefined> {
    return readDocument(this.blobs, digest);
  }

  async config({ digest }: LayerInfo): Promise<Buffer> {
    const bytes = await readDocument(this.blobs, digest);
    if (bytes === undefined) throw missing(this.name, digest);
    return bytes;
  }
}

function missing(name: string, digest: Digest): CalveError {
  return new CalveError('not-found', `${name} has no blob ${digest}`);
}
