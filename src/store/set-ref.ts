import { CalveError } from '../errors/index.ts';
import { type Digest, shortDigest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { resolveExpression } from './expressions.ts';
import { letGoOf } from './let-go.ts';
import { noSuchRef } from './list-refs.ts';
import { locked, settled } from './locking.ts';
import { moveRef } from './move-ref.ts';
import { verifyChain } from './protection.ts';
import { readVersion } from './read-version.ts';
import { readyChain } from './ready-chain.ts';
import { findRef, readIndex, versionOfRef } from './ref-index.ts';
import { parseRefName } from './ref-name.ts';
import { openStaging } from './staging.ts';
import type { RefInfo } from './types.ts';

/** Makes or moves a ref; does nothing when it points there already. */
export async function setRef(
  context: StoreContext,
  text: string,
  expression: string,
  options: { readonly command?: string | undefined; readonly expect?: Digest | null | undefined },
): Promise<RefInfo> {
  const ref = parseRefName(text);
  await settled(context);
  const named = await readVersion(context, (await resolveExpression(context, expression)).version);
  await readyChain(context, named.layers);
  await using staging = await openStaging(context);
  return await locked(context, async () => {
    // Resolved again in here, so that what is named and where it goes are of one moment.
    const to = await readVersion(context, (await resolveExpression(context, expression)).version);
    const index = await readIndex(context);
    const current = versionOfRef(index, ref) ?? null;
    if (options.expect !== undefined && options.expect !== current) {
      const [expected, got] = [options.expect, current].map((digest) =>
        digest ? shortDigest(digest) : 'no version',
      );
      throw new CalveError('diverged', `${ref}: expected ${expected}, got ${got}`, {
        data: { ref, current },
      });
    }
    // Invariant 3.
    await verifyChain(context, to.layers);
    if (current !== to.digest) {
      if (current !== null) letGoOf(context, current);
      await moveRef(context, staging, index, { ref, to, command: options.command ?? 'tag' });
    }
    return findRef(await readIndex(context), ref) ?? { name: ref, version: to.digest };
  });
}

/** Removes a ref. Its version stays as long as the ref's history does, and whatever else needs it. */
export async function removeRef(
  context: StoreContext,
  text: string,
  options: { readonly command?: string | undefined },
): Promise<RefInfo> {
  const ref = parseRefName(text);
  await using staging = await openStaging(context);
  return await locked(context, async () => {
    const index = await readIndex(context);
    const found = findRef(index, ref);
    if (found === undefined) throw noSuchRef(ref);
    letGoOf(context, found.version);
    await moveRef(context, staging, index, { ref, to: null, command: options.command ?? 'untag' });
    return found;
  });
}
