import { chmod } from 'node:fs/promises';
import { CalveError, systemError } from '../errors/index.ts';
import { isImmutable, openFile, statFile } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { WRITE_BITS } from './fsck-structure.ts';
import { despiteImmutable, freeze } from './immutable.ts';
import { manifestsOf } from './manifests.ts';
import { BLOB_MODE } from './publish.ts';
import { readConfig } from './store-config.ts';
import type { FsckMended } from './types.ts';

/**
 * Makes the blobs of every version read-only again, and its layers immutable where the store wants that. Before they are
 * hashed, because it changes their ctime, and so that nobody writes what is being verified. What this process may not
 * do stays for fsck to tell.
 */
export async function restoreModes(context: StoreContext): Promise<FsckMended[]> {
  const mended: FsckMended[] = [];
  const { immutable } = await readConfig(context);
  const seen = new Set<Digest>();
  const once = (blob: Digest): boolean => {
    if (seen.has(blob) || statFile(context.layout.blob(blob)) === undefined) return false;
    seen.add(blob);
    return true;
  };
  const attempt = async (
    kind: FsckMended['kind'],
    blob: Digest,
    message: string,
    mend: () => Promise<boolean>,
  ) => {
    try {
      if (await mend()) mended.push({ kind, where: blob, message });
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      if (!['denied', 'unsupported', 'not-found'].includes(error.code)) throw error;
    }
  };
  for await (const { digest, config, layers } of manifestsOf(context, '', () => {})) {
    for (const blob of [digest, config.digest, ...layers.map((layer) => layer.digest)]) {
      if (!once(blob)) continue;
      const path = context.layout.blob(blob);
      await attempt('blob-writable', blob, `blob ${blob} is read-only again`, () => makeReadOnly(path));
      if (!immutable || !layers.some((layer) => layer.digest === blob)) continue;
      await attempt('layer-mutable', blob, `layer ${blob} is immutable again`, () => makeImmutable(path));
    }
  }
  return mended;
}

async function makeReadOnly(path: string): Promise<boolean> {
  const mode = statFile(path)?.mode ?? 0;
  if ((mode & WRITE_BITS) === 0) return false;
  try {
    await despiteImmutable(path, () => chmod(path, BLOB_MODE));
  } catch (error) {
    throw systemError(`cannot change the mode of ${path}`, error);
  }
  return true;
}

async function makeImmutable(path: string): Promise<boolean> {
  {
    await using file = await openFile(path);
    if (isImmutable(file)) return false;
  }
  await freeze(path);
  return true;
}
