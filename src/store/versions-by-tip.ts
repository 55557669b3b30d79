import type { Digest, ImageIndex } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { manifestsOf } from './manifests.ts';
import { readVersion } from './read-version.ts';
import { readIndex, refsTo } from './ref-index.ts';
import type { VersionDocument } from './version-document.ts';

/** The versions of a store by what their disks are: a layer's digest covers all that is below it. */
export class VersionsByTip {
  readonly #context: StoreContext;
  readonly #index: ImageIndex;
  readonly #byTip = new Map<Digest, Digest[]>();

  private constructor(context: StoreContext, index: ImageIndex) {
    this.#context = context;
    this.#index = index;
  }

  /** Reads every manifest once. */
  static async read(context: StoreContext): Promise<VersionsByTip> {
    // What is broken is no version to stand on; fsck tells of it.
    const known = new VersionsByTip(context, await readIndex(context));
    for await (const manifest of manifestsOf(context, '', () => {})) known.add(manifest);
    return known;
  }

  /** Counts a version that was made since. */
  add({ tip, digest }: Pick<VersionDocument, 'tip' | 'digest'>): void {
    this.#byTip.set(tip, [...(this.#byTip.get(tip) ?? []), digest]);
  }

  /** A version whose chain ends with this layer: one that a ref names before others, then the oldest. */
  async find(tip: Digest): Promise<VersionDocument | undefined> {
    const versions: VersionDocument[] = [];
    for (const digest of this.#byTip.get(tip) ?? []) versions.push(await readVersion(this.#context, digest));
    const named = versions.filter(({ digest }) => refsTo(this.#index, digest).length > 0);
    const [first] = (named.length > 0 ? named : versions).sort((a, b) =>
      a.config.created < b.config.created ? -1 : 1,
    );
    return first;
  }
}
