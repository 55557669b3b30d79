import { MemoryDisk } from '../disk/index.ts';
import { openPathPair } from '../guestfs/index.ts';
import { openChain } from './chain.ts';
import { openSides } from './compared-disks.ts';
import type { StoreContext } from './context.ts';
import { logVersions } from './log-versions.ts';
import type { LogOptions } from './options.ts';
import { readVersion, readVersionIfThere } from './read-version.ts';
import type { VersionInfo } from './types.ts';

/**
 * Of a version and its ancestors, as `logVersions` tells them, those in which what a path leads to inside the disk is not
 * what it is in the first parent: another content, other attributes, there or gone; of a directory, anything below.
 * Of a version without a parent in the store, whether it is there. Only what the two chains do not share is compared.
 */
export async function* logPath(
  context: StoreContext,
  expression: string | undefined,
  { limit = Number.POSITIVE_INFINITY, ...options }: LogOptions & { readonly path: string },
): AsyncGenerator<VersionInfo> {
  let count = 0;
  if (count >= limit) return;
  for await (const version of logVersions(context, expression)) {
    options.signal?.throwIfAborted();
    if (!(await changedIn(context, version, options))) continue;
    yield version;
    count += 1;
    if (count >= limit) return;
  }
}

async function changedIn(
  context: StoreContext,
  { digest, parents: [first] }: VersionInfo,
  { path, partition, signal }: LogOptions & { readonly path: string },
): Promise<boolean> {
  await using stack = new AsyncDisposableStack();
  const version = await readVersion(context, digest);
  const parent = first === undefined ? undefined : await readVersionIfThere(context, first);
  const look = { partition, follow: false, signal };
  if (parent === undefined) {
    const disk = stack.use(await openChain(context, version.layers, { signal }));
    return (await openPathPair(stack, new MemoryDisk(0), disk, path, look)).differ(signal);
  }
  const sides = [
    { env: null, version: parent },
    { env: null, version },
  ] as const;
  const disks = await openSides(context, stack, ...sides, { signal });
  const pair = await openPathPair(stack, disks.before, disks.after, path, { ...look, within: disks.within });
  const differ = await pair.differ(signal);
  await disks.verify();
  return differ;
}
