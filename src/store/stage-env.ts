import { join } from 'node:path';
import { openFile, syncFolder } from '../host/index.ts';
import { type EmptyImage, layOutEmptyImage } from '../qcow2/index.ts';
import { type EnvDocument, encodeEnvDocument } from './env-document.ts';
import { ENV_DOCUMENT, OVERLAY, overlayBacking } from './layout.ts';
import { sealStaged, writeStaged } from './staging.ts';
import type { VersionDocument } from './version-document.ts';

/**
 * A fresh overlay on a version: computed once, written for each env.
 * @param size of its disk, bytes
 */
export function overlayImage(version: VersionDocument, size: number = version.size): EmptyImage {
  return layOutEmptyImage({
    size,
    backingFile: overlayBacking(version.tip),
    backingFormat: 'qcow2',
  });
}

/** Writes an env's files, durably, into a staged folder that is there. */
export async function stageEnv(
  folder: string,
  env: EnvDocument,
  version: VersionDocument,
  image: EmptyImage = overlayImage(version),
): Promise<void> {
  await using overlay = await openFile(join(folder, OVERLAY), { create: true });
  for (const { offset, bytes } of image.parts) overlay.writeSync(bytes, offset);
  await overlay.truncate(image.length);
  await sealStaged(overlay, 0o644);
  await writeStaged(join(folder, ENV_DOCUMENT), encodeEnvDocument(env));
  await syncFolder(folder);
}
