import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Disk, sliceDisk } from '../disk/index.ts';
import { renameDurably, statFile } from '../host/index.ts';
import { copyDifference } from '../img/index.ts';
import { openQcow2, Qcow2Disk } from '../qcow2/index.ts';
import type { OpenedImage } from './adopt-open.ts';
import type { StoreContext } from './context.ts';
import { numbered } from './distinct-names.ts';
import type { EnvDocument } from './env-document.ts';
import { OVERLAY } from './layout.ts';
import { locked } from './locking.ts';
import { mappedExtents } from './mapped-extents.ts';
import { now } from './move-ref.ts';
import type { AdoptOptions } from './options.ts';
import { overlayImage, stageEnv } from './stage-env.ts';
import { listFolder, openStaging } from './staging.ts';
import { verifyThere } from './verify-there.ts';
import type { VersionDocument } from './version-document.ts';

/** An env that came of an overlay. */
export interface AdoptedEnv {
  readonly name: string;
  /** Bytes of storage that its overlay takes. */
  readonly storedBytes: number;
}

/**
 * Makes an env of an overlay whose base is a version: a fresh overlay on that version, into which go the clusters in which
 * the disk differs from it. It is made whole and durable in staging; one rename puts it in place.
 */
export async function adoptEnv(
  context: StoreContext,
  image: OpenedImage,
  facts: {
    readonly path: string;
    readonly version: VersionDocument;
    readonly ref: string;
    /** With a number when it is taken. */
    readonly name: string;
  },
  options: AdoptOptions,
): Promise<AdoptedEnv> {
  const { version, ref } = facts;
  const { size, mtimeNs } = image.stamp;
  const env: EnvDocument = {
    ...{ version: version.digest, ref, created: now(), machine: version.config.machine },
    origin: { path: facts.path, size, mtimeNs: String(mtimeNs) },
  };
  await using staging = await openStaging(context);
  const staged = staging.path('env');
  await mkdir(staged);
  await stageEnv(staged, env, version, overlayImage(version, image.disk.size));
  await fillOverlay(join(staged, OVERLAY), image, options);
  image.checkUnchanged();
  const name = await locked(
    context,
    async () => {
      await verifyThere(context, version);
      const free = freeName(await listFolder(context.layout.envs), facts.name);
      context.step(`rename to envs/${free}`);
      await renameDurably(staged, context.layout.env(free));
      return free;
    },
    options.signal,
  );
  return { name, storedBytes: statFile(context.layout.overlay(name))?.allocated ?? 0 };
}

/** Writes what the image has of its own, durably. */
async function fillOverlay(path: string, image: OpenedImage, options: AdoptOptions): Promise<void> {
  const { disk, base } = image;
  if (!(disk instanceof Qcow2Disk) || base === null) throw new TypeError('an overlay stands on a base');
  const { signal, onProgress } = options;
  await using overlay = await openQcow2(path, {
    writable: true,
    lock: false,
    // It reads as its version does, whose files lie elsewhere as long as it is staged. The base is the image's to close.
    backing: async () => sliceDisk<Disk>(base, 0, base.size, { leaveOpen: true }),
  });
  await copyDifference(disk, base, overlay, {
    within: mappedExtents(disk),
    signal,
    onProgress: (done) => onProgress?.({ phase: 'reading', done, total: disk.size }),
  });
}

function freeName(taken: readonly string[], name: string): string {
  for (let number = 1; ; number += 1) {
    const free = number === 1 ? name : numbered(name, number);
    if (!taken.includes(free)) return free;
  }
}
