import { CalveError } from '../errors/index.ts';
import { type BlockDifference, differences } from '../img/index.ts';
import { shortDigest } from '../oci/index.ts';
import type { Qcow2Disk } from '../qcow2/index.ts';
import { openChain } from './chain.ts';
import { changedRanges } from './changed-ranges.ts';
import type { StoreContext } from './context.ts';
import { openOverlay } from './env-disk.ts';
import { lockEnv } from './env-lock.ts';
import { resolveTarget } from './expressions.ts';
import type { Target } from './options.ts';
import { verifyChain } from './protection.ts';
import { readVersion } from './read-version.ts';
import type { LayerInfo, WorkOptions } from './types.ts';
import { upperImages } from './upper-images.ts';
import type { VersionDocument } from './version-document.ts';

/** A side of the comparison: a version, or the env of this name, which stands on it and is locked for reading. */
interface Side {
  readonly env: string | null;
  readonly version: VersionDocument;
}

/**
 * The blocks in which two disks differ. Layers that both chains begin with are equal by their names and are not
 * looked at: only what the layers above them map is read. After a squash nothing is common, and all is read.
 */
export async function* diffBlocks(
  context: StoreContext,
  a: string,
  b: string | undefined,
  { signal, onProgress }: WorkOptions,
): AsyncGenerator<BlockDifference> {
  await using stack = new AsyncDisposableStack();
  const first = await openSide(context, stack, await resolveTarget(context, a));
  const second = await openSide(
    context,
    stack,
    b === undefined ? baseOf(first) : await resolveTarget(context, b),
  );
  // An env is what it was made from and more: without `b` what came to be is `added`.
  const [from, to] = b === undefined ? [second, first] : [first, second];
  const common = commonLayers(from.version.layers, to.version.layers);
  const left = await openWhole(context, stack, from);
  const right = await openWhole(context, stack, to);
  const upper = [...ownImages(left, from, common), ...ownImages(right, to, common)];
  const size = Math.max(left.size, right.size);
  yield* differences(left, right, {
    within: changedRanges(upper, [left.size, right.size]),
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done) => onProgress?.({ phase: 'reading', done: Math.min(done, size), total: size }),
  });
  // What was told is true only if nobody wrote into a layer meanwhile.
  for (const side of [from, to]) await verifyChain(context, side.version.layers, { signal });
}

function baseOf(side: Side): Target {
  if (side.env !== null) return { kind: 'version', version: side.version.digest };
  const [parent] = side.version.config.parents;
  if (parent !== undefined) return { kind: 'version', version: parent };
  throw new CalveError(
    'usage',
    `version ${shortDigest(side.version.digest)} has no parent to compare it with`,
  );
}

async function openSide(context: StoreContext, stack: AsyncDisposableStack, target: Target): Promise<Side> {
  if (target.kind === 'version') return { env: null, version: await readVersion(context, target.version) };
  const { env } = stack.use(await lockEnv(context, target.name, 'read'));
  return { env: target.name, version: await readVersion(context, env.version) };
}

function commonLayers(a: readonly LayerInfo[], b: readonly LayerInfo[]): number {
  let count = 0;
  while (count < a.length && a[count]?.digest === b[count]?.digest) count += 1;
  return count;
}

async function openWhole(context: StoreContext, stack: AsyncDisposableStack, side: Side): Promise<Qcow2Disk> {
  const { layers } = side.version;
  if (side.env === null) return stack.use(await openChain(context, layers));
  await verifyChain(context, layers);
  return stack.use(await openOverlay(context, side.env, layers, {}));
}

/** The images of a side that the other has not: the overlay, and the layers above the common ones. */
function ownImages(whole: Qcow2Disk, side: Side, common: number): readonly Qcow2Disk[] {
  const count = side.version.layers.length - common + (side.env === null ? 0 : 1);
  return upperImages(whole, count).upper;
}
