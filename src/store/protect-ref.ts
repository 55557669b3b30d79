import { writeFileDurably } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { noSuchRef } from './list-refs.ts';
import { locked } from './locking.ts';
import { encodeIndex, findRef, readIndex, withProtection } from './ref-index.ts';
import { parseRefName } from './ref-name.ts';
import type { RefInfo } from './types.ts';

/**
 * Protects a ref, or no longer. One rename of the index, which is no move of a ref: the log, and with it what
 * `REF@{1}` names, stays as it is.
 */
export async function protectRef(
  context: StoreContext,
  text: string,
  isProtected: boolean,
): Promise<RefInfo> {
  const name = parseRefName(text);
  return locked(context, async () => {
    const index = await readIndex(context);
    const found = findRef(index, name);
    if (found === undefined) throw noSuchRef(name);
    if ((found.protected === true) === isProtected) return found;
    const changed = withProtection(index, name, isProtected);
    context.step('rename to index.json');
    await writeFileDurably(context.layout.index, encodeIndex(changed), {
      stagingFolder: context.layout.tmp,
    });
    return findRef(changed, name) ?? found;
  });
}
