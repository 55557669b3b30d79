import { setTimeout as sleep } from 'node:timers/promises';
import { CalveError } from '../../errors/index.ts';
import { type Digest, digestOf, shortDigest } from '../../oci/index.ts';
import type { Repository } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { readVersionIfThere } from '../read-version.ts';
import { isAncestor } from './ancestry.ts';
import { decodePushed } from './pushed-ref.ts';

/** What a tag points at. */
export interface TagState {
  readonly digest: Digest;
  /** The newest first; none when it is no version that calve pushed. */
  readonly versions: readonly { readonly digest: Digest; readonly manifestSize: number }[];
}

/**
 * Milliseconds until a tag that was moved is looked at again. A registry moves a tag for whoever asks and tells nobody: two
 * who look at it at a time both find it free. Whoever comes last has it, and whoever came before sees that, if it looks
 * once the other has had the time to be done.
 */
const SETTLING = 250;

/** A tag of a repository, which others may move at the same time. */
export class RemoteTag {
  readonly #repository: Repository;
  readonly #tag: string;
  readonly #where: string;

  constructor(repository: Repository, tag: string, where: string) {
    this.#repository = repository;
    this.#tag = tag;
    this.#where = where;
  }

  /** Undefined when it is not there. */
  async read(signal: AbortSignal | undefined): Promise<TagState | undefined> {
    try {
      const document = await this.#repository.manifests.get(this.#tag, { signal });
      try {
        return { digest: document.digest, versions: decodePushed(document, this.#where) };
      } catch (error) {
        if (!CalveError.is(error, 'unsupported') && !CalveError.is(error, 'corrupt')) throw error;
        return { digest: document.digest, versions: [] };
      }
    } catch (error) {
      if (CalveError.is(error, 'not-found')) return undefined;
      throw error;
    }
  }

  /**
   * Makes sure that the tag may be moved to a version: it comes from what the tag points at.
   * @throws CalveError `diverged` naming both; `exists` for a tag that is no version of calve's
   */
  async checkLeadsTo(context: StoreContext, state: TagState | undefined, to: Digest): Promise<void> {
    if (state === undefined) return;
    const [there] = state.versions;
    if (there === undefined) {
      throw new CalveError('exists', `${this.#where} is there, and is no version that calve pushed`, {
        hint: 'give another tag, or --force to replace it',
        data: { remote: this.#where, digest: state.digest },
      });
    }
    const parentsOf = async (digest: Digest) => (await readVersionIfThere(context, digest))?.config.parents;
    if (await isAncestor(there.digest, to, parentsOf)) return;
    const isBehind = state.versions.some(({ digest }) => digest === to);
    throw new CalveError(
      'diverged',
      `${this.#where} is version ${shortDigest(there.digest)}, which ` +
        (isBehind ? `comes from ${shortDigest(to)}` : `${shortDigest(to)} does not come from`),
      {
        hint: `calve pull ${this.#where} OTHER-REF shows what is there; --force replaces it`,
        data: { remote: this.#where, there: there.digest, here: to },
      },
    );
  }

  /**
   * Moves the tag, unless somebody has moved it since.
   * @throws CalveError `diverged` when somebody else has, before or just then: nothing that either sent is lost
   */
  async move(
    manifest: { readonly bytes: Uint8Array; readonly mediaType: string },
    from: TagState | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const ours = digestOf(manifest.bytes);
    const begun = performance.now();
    const found = await this.#find(signal);
    if (found === ours) return;
    if (found !== from?.digest) throw await this.#lost(signal);
    await this.#repository.manifests.put(this.#tag, manifest, { signal });
    await sleep(Math.max(SETTLING, 2 * (performance.now() - begun)), undefined, { signal });
    if ((await this.#find(signal)) !== ours) throw await this.#lost(signal);
  }

  async #find(signal: AbortSignal | undefined): Promise<Digest | undefined> {
    return (await this.#repository.manifests.find(this.#tag, { signal }))?.digest;
  }

  async #lost(signal: AbortSignal | undefined): Promise<CalveError> {
    const now = (await this.read(signal))?.versions[0]?.digest;
    const is = now === undefined ? 'gone' : `version ${shortDigest(now)}`;
    return new CalveError('diverged', `${this.#where} was moved by somebody else meanwhile: it is ${is}`, {
      hint: `what was sent is there already: calve pull ${this.#where} OTHER-REF, then push again`,
      data: { remote: this.#where, there: now ?? null },
    });
  }
}
