import { CalveError } from '../errors/index.ts';
import { hexOf } from '../oci/index.ts';
import { type BackingPolicy, type BackingRequest, Chain, openQcow2, type Qcow2Disk } from '../qcow2/index.ts';
import type { StoreContext } from './context.ts';
import { overlayBacking } from './layout.ts';
import { verifyOpened } from './protection.ts';
import { readyChain } from './ready-chain.ts';
import type { LayerInfo, WorkOptions } from './types.ts';

/** QEMU sets no bound either; the manifest does. */
const NO_BOUND = Number.MAX_SAFE_INTEGER;
/** Memory for a disk that is read once: its tables and what is being unpacked. */
const READ_ONCE = { maxDepth: NO_BOUND, tableBytes: 2 ** 23, clusterBytes: 2 ** 22, spill: false };

/** How an image that stands on a chain names the chain's last layer. */
type Naming = (layer: LayerInfo) => string;

/** How a chain is opened. */
interface OpenOptions extends WorkOptions {
  /** The disk will be read once, from its beginning to its end, so that no unpacked cluster is worth keeping. */
  readonly once?: boolean;
}

/** Opens a version's disk for reading, every layer verified and under QEMU's lock for reading. */
export async function openChain(
  context: StoreContext,
  layers: readonly LayerInfo[],
  options: OpenOptions = {},
): Promise<Qcow2Disk> {
  await readyChain(context, layers, options);
  return openLayers(context, layers, options.once === true ? Chain.begin(READ_ONCE) : undefined);
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

/** Opens a version's disk for reading, as its layers are now, to guess by what they hold: never to rely on it. */
export function openUnverified(context: StoreContext, layers: readonly LayerInfo[]): Promise<Qcow2Disk> {
  return openLayers(context, layers, Chain.begin(READ_ONCE));
}

async function openLayers(
  context: StoreContext,
  layers: readonly LayerInfo[],
  chain?: Chain,
): Promise<Qcow2Disk> {
  const tip = layers.at(-1);
  if (tip === undefined) throw new TypeError('a chain has at least one layer');
  const below = layers.slice(0, -1);
  const disk = await openQcow2(context.layout.blob(tip.digest), {
    // Invariant 2: a layer names its parent by its bare file name.
    backing: chainPolicy(context, below, (layer) => hexOf(layer.digest)),
    // The file that is read is the one that was verified: somebody may have put another at its path since.
    admit: (file) => verifyOpened(context, tip, file),
    maxDepth: NO_BOUND,
    ...(chain === undefined ? {} : { chain }),
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
    return openLayers(context, layers, request.chain);
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
