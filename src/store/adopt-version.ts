import { basename } from 'node:path';
import { extentsOf } from '../disk/index.ts';
import type { ImageIndex } from '../oci/index.ts';
import { Qcow2Disk } from '../qcow2/index.ts';
import type { OpenedImage } from './adopt-open.ts';
import type { StoreContext } from './context.ts';
import { numbered } from './distinct-names.ts';
import { extentsFrom } from './extents-from.ts';
import { locked } from './locking.ts';
import { mappedExtents } from './mapped-extents.ts';
import { moveRef } from './move-ref.ts';
import type { AdoptOptions } from './options.ts';
import { publishVersion } from './publish.ts';
import { readIndex, refsTo, versionOfRef } from './ref-index.ts';
import { parseRefName } from './ref-name.ts';
import { stageState } from './stage-state.ts';
import { openStaging } from './staging.ts';
import { verifyThere } from './verify-there.ts';
import type { VersionDocument } from './version-document.ts';
import type { VersionsByTip } from './versions-by-tip.ts';

/** What an image became, and how. */
export interface AdoptedVersion {
  readonly version: VersionDocument;
  readonly ref: string;
  /** The store had it before. */
  readonly isKnown: boolean;
  /** Bytes of its layer; 0 where the store had it. */
  readonly storedBytes: number;
}

/**
 * Makes a version of an image that stands on nothing, or on an image that is a version already; or finds the version that
 * it is. A version that has a ref keeps it; to another one `name` is given, with a number when that ref is taken.
 */
export async function adoptVersion(
  context: StoreContext,
  image: OpenedImage,
  facts: {
    readonly path: string;
    readonly below: VersionDocument | null;
    readonly name: string;
    readonly known: VersionsByTip;
  },
  options: AdoptOptions,
): Promise<AdoptedVersion> {
  const { disk, base } = image;
  await using staging = await openStaging(context);
  const { version, staged, summary } = await stageState(
    staging,
    {
      disk,
      rangesFrom: (offset) =>
        extentsFrom(
          disk instanceof Qcow2Disk && base !== null ? mappedExtents(disk) : extentsOf(disk, 0, disk.size),
          offset,
        ),
      below: facts.below === null || base === null ? null : { version: facts.below, disk: base },
      made: { command: 'adopt', from: basename(facts.path) },
    },
    { name: 'version', known: facts.known, ...options },
  );
  image.checkUnchanged();
  const ref = await locked(
    context,
    async () => {
      if (facts.below !== null) await verifyThere(context, facts.below);
      if (staged === null) await verifyThere(context, version);
      else await publishVersion(context, staged);
      const index = await readIndex(context);
      const [named] = refsTo(index, version.digest);
      if (named !== undefined) return named;
      const free = freeRef(index, facts.name);
      await moveRef(context, staging, index, { ref: free, to: version, command: 'adopt' });
      return free;
    },
    options.signal,
  );
  if (staged !== null) facts.known.add(version);
  return { version, ref, isKnown: staged === null, storedBytes: staged === null ? 0 : summary.fileSize };
}

function freeRef(index: ImageIndex, name: string): string {
  for (let number = 1; ; number += 1) {
    const ref = parseRefName(number === 1 ? name : numbered(name, number));
    if (versionOfRef(index, ref) === undefined) return ref;
  }
}
