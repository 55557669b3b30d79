import { CalveError } from '../errors/index.ts';
import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readVersion } from './read-version.ts';
import { readIndex, refsOf } from './ref-index.ts';
import { refMoves } from './ref-log.ts';
import type { VersionDocument } from './version-document.ts';

/** How far back the log is read for the order of refs. */
const MOST_MOVES = 1000;

/**
 * The versions that a new disk may be near to, the likeliest first: those of refs, the ref first that moved last; then
 * their first parents; then theirs. Of versions with one chain, which are one disk, only the first. Each is read when
 * it is asked for, so that whoever takes a few pays for a few, whatever the store holds.
 *
 * @param onBroken told what cannot be read and is passed over, in a sentence
 */
export async function* likelyBases(
  context: StoreContext,
  onBroken: (sentence: string) => void,
): AsyncGenerator<VersionDocument> {
  const seen = new Set<Digest>();
  let generation = await versionsByMove(context, onBroken);
  while (generation.length > 0) {
    const parents: Digest[] = [];
    for (const digest of generation) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      const version = await readUnlessBroken(context, digest, onBroken);
      if (version === undefined) continue;
      const [parent] = version.config.parents;
      if (parent !== undefined) parents.push(parent);
      if (seen.has(version.tip)) continue;
      seen.add(version.tip);
      yield version;
    }
    generation = parents;
  }
}

/** The versions of all refs, by when the ref moved; those last of which the log does not tell. */
async function versionsByMove(
  context: StoreContext,
  onBroken: (sentence: string) => void,
): Promise<Digest[]> {
  const waiting = new Map(refsOf(await readIndex(context)).map(({ name, version }) => [name, version]));
  const moved: Digest[] = [];
  let looked = 0;
  try {
    for (const { ref } of refMoves(context)) {
      const version = waiting.get(ref);
      if (version !== undefined) moved.push(version);
      waiting.delete(ref);
      looked += 1;
      if (waiting.size === 0 || looked === MOST_MOVES) break;
    }
  } catch (error) {
    if (!CalveError.is(error, 'corrupt')) throw error;
    onBroken(`which refs moved last is not known: ${error.message}`);
  }
  return [...moved, ...waiting.values()];
}

async function readUnlessBroken(
  context: StoreContext,
  digest: Digest,
  onBroken: (sentence: string) => void,
): Promise<VersionDocument | undefined> {
  try {
    return await readVersion(context, digest);
  } catch (error) {
    if (!isHarm(error)) throw error;
    onBroken(`a version was passed over: ${error.message}`);
    return undefined;
  }
}

/** Whether an error says that a version is harmed, or being harmed, which must not keep others from being looked at. */
export function isHarm(error: unknown): error is CalveError {
  return HARM.some((code) => CalveError.is(error, code));
}

const HARM = ['not-found', 'changed', 'corrupt', 'invalid', 'unsupported', 'out-of-range', 'in-use'] as const;
