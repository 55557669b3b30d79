import type { Disk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { shortDigest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { findNearest, measureNearness } from './nearest-version.ts';
import { readVersion } from './read-version.ts';
import { readIndex, refsTo, versionOfRef } from './ref-index.ts';
import type { NearestSearch, WorkOptions } from './types.ts';
import type { VersionDocument } from './version-document.ts';

/** What a new version is built on, and what is told of it. */
export interface NearestBase {
  readonly onto: VersionDocument | null;
  readonly told: NearestSearch;
  readonly warnings: readonly string[];
}

/**
 * Finds what a disk is best stored onto. Where the ref to make is there already, only its own version comes into
 * question: a child of any other could not become the ref's version, and a ref never moves to something unrelated.
 *
 * @throws CalveError `exists` when the ref is there and its version is not near; `changed` when that is harmed
 */
export async function nearestBase(
  context: StoreContext,
  disk: Disk,
  options: WorkOptions & { readonly file: string; readonly ref: string | null },
): Promise<NearestBase> {
  const { file, ref } = options;
  const index = await readIndex(context);
  const current = ref === null ? undefined : versionOfRef(index, ref);
  const found =
    current === undefined
      ? await findNearest(context, disk, options)
      : await measureNearness(context, disk, await readVersion(context, current), options);
  const { version, compared, sampled, equal, warnings } = found;
  if (ref !== null && current !== undefined && version === null) {
    throw new CalveError(
      'exists',
      `${ref} is version ${shortDigest(current)} already, and ${file} is no descendant of it by the look of it: ` +
        `${equal} of ${sampled} sampled clusters are equal`,
      {
        hint: `calve import ${file} NEW-REF; a descendant all the same: calve import ${file} ${ref} --onto ${ref}`,
        data: { ref, current, sampled, equal },
      },
    );
  }
  const names = version === null ? [] : refsTo(index, version.digest);
  const name = ref !== null && names.includes(ref) ? ref : names[0];
  return {
    onto: version,
    told: { version: version?.digest ?? null, ref: name ?? null, compared, sampled, equal },
    warnings,
  };
}
