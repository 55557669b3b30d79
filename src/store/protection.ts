import { CalveError } from '../errors/index.ts';
import { type HostFile, statFile } from '../host/index.ts';
import { type Digest, hexOf, shortDigest } from '../oci/index.ts';
import { standingOn, takeCensus } from './census.ts';
import type { StoreContext } from './context.ts';
import { type HashedFile, hashFile, hashOpened } from './hash-file.ts';
import { hasStamp, writeStamp } from './stamps.ts';
import type { LayerInfo, Standing, WorkOptions } from './types.ts';

/**
 * Makes sure that every layer of a chain is what it was: a stat each where the stamp holds, a whole hash where not.
 *
 * @throws CalveError `changed`, naming the layer and all that stands on it; `data` is { layer, versions, refs, envs,
 * trash }
 */
export async function verifyChain(
  context: StoreContext,
  layers: readonly LayerInfo[],
  options: WorkOptions = {},
): Promise<void> {
  const doubtful: LayerInfo[] = [];
  for (const layer of layers) {
    const stat = statFile(context.layout.blob(layer.digest));
    if (stat === undefined) throw await harmed(context, layer, 'is missing');
    if (stat.size !== layer.size) {
      throw await harmed(context, layer, `has changed: expected ${layer.size} bytes, got ${stat.size}`);
    }
    if (!hasStamp(context, layer.digest, stat)) doubtful.push(layer);
  }
  const total = doubtful.reduce((sum, layer) => sum + layer.size, 0);
  let done = 0;
  const onBytes = (count: number): void => {
    done += count;
    options.onProgress?.({ phase: 'hashing', done, total });
  };
  for (const layer of doubtful) {
    const path = context.layout.blob(layer.digest);
    await verifyHash(context, layer, hashFile(path, { signal: options.signal, onBytes }));
  }
}

/**
 * As `verifyChain`, of one layer's file that is open: whatever comes to lie at its path from now on is not what is read.
 * Costs a stat where `verifyChain` came just before.
 */
export async function verifyOpened(context: StoreContext, layer: LayerInfo, file: HostFile): Promise<void> {
  if (!hasStamp(context, layer.digest, file.stat())) await verifyHash(context, layer, hashOpened(file));
}

async function verifyHash(
  context: StoreContext,
  layer: LayerInfo,
  hashing: Promise<HashedFile>,
): Promise<void> {
  let hashed: HashedFile;
  try {
    hashed = await hashing;
  } catch (error) {
    if (CalveError.is(error, 'changed'))
      throw await harmed(context, layer, 'changed while it was hashed', error);
    if (CalveError.is(error, 'not-found')) throw await harmed(context, layer, 'is missing', error);
    throw error;
  }
  const { digest, stat } = hashed;
  if (digest !== layer.digest) {
    throw await harmed(context, layer, `has changed: its bytes hash to ${shortDigest(digest)}…`);
  }
  writeStamp(context, layer.digest, stat);
}

async function harmed(
  context: StoreContext,
  layer: LayerInfo,
  what: string,
  cause?: CalveError,
): Promise<CalveError> {
  // Whatever else is broken must not hide this.
  const standing = standingOn(await takeCensus(context, () => {}), layer.digest);
  const path = context.layout.blob(layer.digest);
  return new CalveError('changed', `layer ${hexOf(layer.digest)} ${what}; ${describeStanding(standing)}`, {
    data: { layer: layer.digest, ...standing },
    ...(cause === undefined ? {} : { cause }),
    hint: `calve fsck --repair --from REMOTE fetches it from a registry or a copy of this store; or bring back the file: cp COPY ${path}`,
  });
}

/** `on it stand versions a, b; refs c; environments d`, or that nothing does. */
export function describeStanding(standing: Standing): string {
  const groups: [string, readonly string[]][] = [
    ['versions', standing.versions.map((digest: Digest) => shortDigest(digest))],
    ['refs', standing.refs],
    ['environments', standing.envs],
    ['trash', standing.trash],
  ];
  const said = groups
    .filter(([, names]) => names.length > 0)
    .map(([what, names]) => `${what} ${names.join(', ')}`);
  return said.length === 0 ? 'nothing stands on it' : `on it stand ${said.join('; ')}`;
}
