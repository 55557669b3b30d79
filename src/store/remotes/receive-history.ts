import { CalveError } from '../../errors/index.ts';
import { type Digest, digestOf, shortDigest } from '../../oci/index.ts';
import type { StoreContext } from '../context.ts';
import { inParallel } from '../in-parallel.ts';
import { readVersionIfThere } from '../read-version.ts';
import { decodeConfig, decodeManifest, type VersionDocument } from '../version-document.ts';
import type { TransferOptions, VersionSource } from './version-source.ts';

/** A version that came from a source, and its documents' bytes; those of one that the store has are not needed. */
export interface ReceivedVersion {
  readonly document: VersionDocument;
  readonly bytes: { readonly manifest: Buffer; readonly config: Buffer } | null;
}

/** Documents that are asked for at a time. */
const AT_A_TIME = 8;
/**
 * Chains are some 32 layers deep, and bases of a TiB come in 256 parts: more is meant to harm. Every layer is a file that
 * is open while the disk is.
 */
const MOST_LAYERS = 1000;

/**
 * Reads a version and its ancestors from a source, generation by generation; each once.
 *
 * @param depth how many generations: 1 is the version alone. The line of an ancestor that neither side has ends there.
 * @returns the version first, then its ancestors, children before parents
 * @throws CalveError `corrupt`, `unsupported` for documents that no calve made; `not-found` for the version itself
 */
export async function receiveHistory(
  context: StoreContext,
  source: VersionSource,
  depth: number,
  options: TransferOptions,
): Promise<ReceivedVersion[]> {
  const received: ReceivedVersion[] = [];
  const seen = new Set<Digest>([source.tip]);
  const listed = new Set(source.listed);
  // All that the source told of is asked for at once: generations one after another take a round trip each.
  const early = depth >= listed.size ? await receiveAll(context, source, [...listed], options) : new Map();
  let generation: readonly Digest[] = [source.tip];
  for (let level = 0; level < depth && generation.length > 0; level++) {
    const missing = generation.filter((digest) => !early.has(digest));
    const late = await receiveAll(context, source, missing, options);
    const parents: Digest[] = [];
    for (const digest of generation) {
      const version: ReceivedVersion | undefined = early.get(digest) ?? late.get(digest);
      if (version === undefined) continue;
      received.push(version);
      for (const parent of version.document.config.parents) {
        if (!seen.has(parent)) parents.push(parent);
        seen.add(parent);
      }
    }
    generation = parents;
  }
  if (received.length === 0 || received[0]?.document.digest !== source.tip) {
    throw new CalveError('not-found', `${source.name} has no manifest ${source.tip}`);
  }
  return received;
}

async function receiveAll(
  context: StoreContext,
  source: VersionSource,
  digests: readonly Digest[],
  options: TransferOptions,
): Promise<Map<Digest, ReceivedVersion>> {
  const found = new Map<Digest, ReceivedVersion>();
  await inParallel(digests, AT_A_TIME, async (digest) => {
    const version = await receiveVersion(context, source, digest, options);
    if (version !== undefined) found.set(digest, version);
  });
  return found;
}

/** A version of the store, else of the source; undefined where neither has it. */
export async function receiveVersion(
  context: StoreContext,
  source: VersionSource,
  digest: Digest,
  options: TransferOptions,
): Promise<ReceivedVersion | undefined> {
  const known = await readVersionIfThere(context, digest);
  if (known !== undefined) return { document: known, bytes: null };
  const manifest = await source.manifest(digest, options);
  if (manifest === undefined) return undefined;
  const decoded = decodeManifest(textOf(manifest, digest, source), digest);
  const { layers, config: described } = decoded;
  if (layers.length > MOST_LAYERS) {
    throw new CalveError(
      'unsupported',
      `${source.name}: version ${shortDigest(digest)}: expected at most ${MOST_LAYERS} layers, got ${layers.length}`,
    );
  }
  const config = await source.config(described, options);
  const document = decodeConfig(decoded, textOf(config, described.digest, source));
  return { document, bytes: { manifest, config } };
}

/** Documents are kept as text: bytes that are none would be other bytes when they are read again. */
function textOf(bytes: Buffer, digest: Digest, source: VersionSource): string {
  const text = bytes.toString();
  if (digestOf(text) === digest) return text;
  throw new CalveError('corrupt', `${source.name}: document ${digest}: expected UTF-8`);
}
