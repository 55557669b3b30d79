import { CalveError } from '../errors/index.ts';
import { hexOf } from '../oci/index.ts';
import { type BackingPolicy, type BackingRequest, openQcow2, type Qcow2Disk } from '../qcow2/index.ts';
import type { StoreContext } from './context.ts';
import { overlayBacking } from './layout.ts';
import { verifyChain, verifyOpened } from './protection.ts';
import type { LayerInfo, WorkOptions } from './types.ts';

/** How an image that stands on a chain names the chain's last layer. */
type Naming = (layer: LayerInfo) => string;

/** Opens a version's disk for reading, every layer verified and under QEMU's lock for reading. */
export async function openChain(
  context: StoreContext,
  layers: readonly LayerInfo[],
  options: WorkOptions = {},
): Promise<Qcow2Disk> {
  await verifyChain(context, layers, options);
  return openLayers(context, layers);
}

/**
 * What an env's overlay may stand on: the version's last layer, named as calve names it. The chain must have been
 * verified.
 * @param follow false opens no layer: the overlay reads zeros where it has nothing itself
 */
export function overlayPolicy(
  context: StoreContext,
  layers: readonly LayerInfo[],
  follow: boolean,
): BackingPolicy {
  const policy = chainPolicy(context, layers, (layer) => overlayBacking(layer.digest));
  if (follow) return policy;
  return async (request) => {
    checkNamed(request, layers, (layer) => overlayBacking(layer.digest));
    return null;
  };
}

async function openLayers(
  context: StoreContext,
  layers: readonly LayerInfo[],
  request?: BackingRequest,
): Promise<Qcow2Disk> {
  const tip = layers.at(-1);
  if (tip === undefined) throw new TypeError('a chain has at least one layer');
  const below = layers.slice(0, -1);
  const disk = await openQcow2(context.layout.blob(tip.digest), {
    // Invariant 2: a layer names its parent by its bare file name.
    backing: chainPolicy(context, below, (layer) => hexOf(layer.digest)),
    // QEMU sets no bound either; the manifest does.
    maxDepth: Number.MAX_SAFE_INTEGER,
    // The file that is read is the one that was verified: somebody may have put another at its path since.
    admit: (file) => verifyOpened(context, tip, file),
    ...(request === undefined ? {} : { chain: request.chain }),
  });
  try {
    checkStandsOn(disk, below, `layer ${hexOf(tip.digest)}`);
  } catch (error) {
    await disk.close();
    throw error;
  }
  return disk;
}

/** The policy is not asked when an image names no backing file at all. */
export function checkStandsOn(disk: Qcow2Disk, below: readonly LayerInfo[], where: string): void {
  const expected = below.at(-1);
  if (expected !== undefined && disk.header.backingFile === undefined) {
    throw new CalveError(
      'corrupt',
      `${where}: expected the backing file ${hexOf(expected.digest)}, got none`,
      {
        hint: 'calve fsck',
      },
    );
  }
}

/** Nothing but the very next layer of the chain, named as calve names it, is opened. */
function chainPolicy(context: StoreContext, layers: readonly LayerInfo[], naming: Naming): BackingPolicy {
  return async (request) => {
    checkNamed(request, layers, naming);
    return openLayers(context, layers, request);
  };
}

function checkNamed(request: BackingRequest, layers: readonly LayerInfo[], naming: Naming): void {
  const next = layers.at(-1);
  const { imagePath, backingFile, backingFormat } = request;
  const expected = next === undefined ? 'none' : `${naming(next)} (qcow2)`;
  const got = `${backingFile} (${backingFormat ?? 'no format'})`;
  if (expected === got) return;
  throw new CalveError('corrupt', `${imagePath}: backing file: expected ${expected}, got ${got}`, {
    data: { imagePath, backingFile, backingFormat },
    hint: 'calve fsck',
  });
}
