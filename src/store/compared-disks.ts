import { CalveError } from '../errors/index.ts';
import type { Range } from '../img/index.ts';
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
import { readyChain } from './ready-chain.ts';
import type { LayerInfo, WorkOptions } from './types.ts';
import { upperImages } from './upper-images.ts';
import type { VersionDocument } from './version-document.ts';

/** Two disks that are compared, opened. */
export interface ComparedDisks {
  readonly before: Qcow2Disk;
  readonly after: Qcow2Disk;
  /** Where they may differ, in order: what the chains do not share. Costs what is mapped there. */
  readonly within: AsyncIterable<Range>;
  /** Verifies all layers once more: what was told is true only if nobody wrote into one meanwhile. */
  verify(): Promise<void>;
}

/** A side of a comparison: a version, or the env of this name, which stands on it. */
export interface ComparedSide {
  readonly env: string | null;
  readonly version: VersionDocument;
}

/**
 * Opens what two names stand for, envs under their locks for reading. Without `b` an env is compared with its version, a
 * version with its first parent, which come first then: what came to be is `added`.
 *
 * @param stack closes all of it
 * @throws CalveError `usage` for a version without a parent, where one is needed; `in-use`, `changed`, `not-found`
 */
export async function openCompared(
  context: StoreContext,
  stack: AsyncDisposableStack,
  a: string,
  b: string | undefined,
  options: WorkOptions,
): Promise<ComparedDisks> {
  const first = await lockSide(context, stack, await resolveTarget(context, a));
  const other = b === undefined ? baseOf(first) : await resolveTarget(context, b);
  const second = await lockSide(context, stack, other);
  const [from, to] = b === undefined ? [second, first] : [first, second];
  return openSides(context, stack, from, to, options);
}

/**
 * Opens two sides. Layers that both chains begin with are equal by their names: only what the layers above them map
 * may differ. After a squash nothing is common.
 */
export async function openSides(
  context: StoreContext,
  stack: AsyncDisposableStack,
  from: ComparedSide,
  to: ComparedSide,
  options: WorkOptions,
): Promise<ComparedDisks> {
  const common = commonLayers(from.version.layers, to.version.layers);
  const before = await openWhole(context, stack, from, options);
  const after = await openWhole(context, stack, to, options);
  const upper = [...ownImages(before, from, common), ...ownImages(after, to, common)];
  return {
    before,
    after,
    within: changedRanges(upper, [before.size, after.size]),
    verify: async () => {
      for (const side of [from, to])
        await verifyChain(context, side.version.layers, { signal: options.signal });
    },
  };
}

function baseOf(side: ComparedSide): Target {
  if (side.env !== null) return { kind: 'version', version: side.version.digest };
  const [parent] = side.version.config.parents;
  if (parent !== undefined) return { kind: 'version', version: parent };
  throw new CalveError(
    'usage',
    `version ${shortDigest(side.version.digest)} has no parent to compare it with`,
  );
}

async function lockSide(
  context: StoreContext,
  stack: AsyncDisposableStack,
  target: Target,
): Promise<ComparedSide> {
  if (target.kind === 'version') return { env: null, version: await readVersion(context, target.version) };
  const { env } = stack.use(await lockEnv(context, target.name, 'read'));
  return { env: target.name, version: await readVersion(context, env.version) };
}

function commonLayers(a: readonly LayerInfo[], b: readonly LayerInfo[]): number {
  let count = 0;
  while (count < a.length && a[count]?.digest === b[count]?.digest) count += 1;
  return count;
}

async function openWhole(
  context: StoreContext,
  stack: AsyncDisposableStack,
  side: ComparedSide,
  options: WorkOptions,
): Promise<Qcow2Disk> {
  const { layers } = side.version;
  if (side.env === null) return stack.use(await openChain(context, layers, options));
  await readyChain(context, layers, options);
  return stack.use(await openOverlay(context, side.env, layers, {}));
}

/** The images of a side that the other has not: the overlay, and the layers above the common ones. */
function ownImages(whole: Qcow2Disk, side: ComparedSide, common: number): readonly Qcow2Disk[] {
  const count = side.version.layers.length - common + (side.env === null ? 0 : 1);
  return upperImages(whole, count).upper;
}
