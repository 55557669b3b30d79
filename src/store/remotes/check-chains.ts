import { CalveError } from '../../errors/index.ts';
import { openFile } from '../../host/index.ts';
import { type Digest, shortDigest } from '../../oci/index.ts';
import { readHeader } from '../../qcow2/index.ts';
import type { StoreContext } from '../context.ts';
import type { LayerInfo } from '../types.ts';
import { claimFault } from './claim-fault.ts';
import type { ReceivedVersion } from './receive-history.ts';
import { isMissing } from './receive-layers.ts';

/** What a version says of one of its layers. */
interface Claim {
  readonly version: Digest;
  readonly layer: LayerInfo;
  readonly below: LayerInfo | null;
  /** Bytes of the disk, where the layer is the version's last. */
  readonly size: number | undefined;
}

/**
 * Makes sure that versions say one thing of each layer, and that what those that come say of layers that are here already is
 * so: no layer that is here would be looked at again. Those that come are checked as they come.
 *
 * @throws CalveError `corrupt`, naming the version and the layer
 */
export async function checkChains(
  context: StoreContext,
  versions: readonly ReceivedVersion[],
): Promise<void> {
  // What the store has was checked when it came: who says something else of it is wrong.
  const known = versions.filter(({ bytes }) => bytes === null);
  const coming = versions.filter(({ bytes }) => bytes !== null);
  const first = new Map<Digest, Claim>();
  const looked = new Set<string>();
  for (const claim of [...known, ...coming].flatMap(claimsOf)) {
    const { digest } = claim.layer;
    const before = first.get(digest);
    if (before !== undefined) checkAgree(claim, before);
    if (before === undefined || before.size === undefined) first.set(digest, claim);
  }
  for (const claim of coming.flatMap(claimsOf)) {
    const key = `${claim.layer.digest} ${claim.size}`;
    if (looked.has(key) || isMissing(context, claim.layer)) continue;
    looked.add(key);
    await checkHere(context, claim);
  }
}

function claimsOf({ document: { digest, layers, size } }: ReceivedVersion): Claim[] {
  return layers.map((layer, at) => ({
    ...{ version: digest, layer, below: layers[at - 1] ?? null },
    size: at === layers.length - 1 ? size : undefined,
  }));
}

function checkAgree(claim: Claim, before: Claim): void {
  const says = `as version ${shortDigest(before.version)} says`;
  const { layer, below, size } = claim;
  if (layer.size !== before.layer.size) {
    throw lie(claim, `expected ${before.layer.size} bytes ${says}, got ${layer.size}`);
  }
  if (below?.digest !== before.below?.digest) {
    const expected = before.below?.digest ?? 'none';
    throw lie(claim, `layer below: expected ${expected} ${says}, got ${below?.digest ?? 'none'}`);
  }
  if (size !== undefined && before.size !== undefined && size !== before.size) {
    throw lie(claim, `expected a disk of ${before.size} bytes ${says}, got ${size}`);
  }
}

async function checkHere(context: StoreContext, claim: Claim): Promise<void> {
  const { layer, below, size } = claim;
  await using file = await openFile(context.layout.blob(layer.digest));
  const found = file.stat().size;
  if (found !== layer.size) {
    throw lie(claim, `expected ${layer.size} bytes as its manifest says, got ${found} in this store`);
  }
  const fault = claimFault(await readHeader(file), below, size);
  if (fault !== undefined) throw lie(claim, fault);
}

function lie({ version, layer }: Claim, what: string): CalveError {
  return new CalveError('corrupt', `version ${shortDigest(version)}: layer ${layer.digest}: ${what}`, {
    data: { version, layer: layer.digest },
  });
}
