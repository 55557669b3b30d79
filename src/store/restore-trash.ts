import { CalveError } from '../errors/index.ts';
import { renameDurably, statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { readEnvDocument } from './env-document.ts';
import { checkEnvName } from './env-name.ts';
import { envInfo } from './list-envs.ts';
import { locked } from './locking.ts';
import { findTrash } from './trash-entries.ts';
import type { EnvInfo } from './types.ts';

/** Brings an env back with one rename. */
export async function restoreTrash(context: StoreContext, id: string, name?: string): Promise<EnvInfo> {
  return locked(context, async () => {
    const entry = await findTrash(context, id);
    const as = checkEnvName(name ?? entry.name);
    if (statFile(context.layout.env(as)) !== undefined) {
      throw new CalveError('exists', `an environment ${as} exists already`, {
        hint: `calve trash restore ${entry.id} NAME`,
        data: { env: as },
      });
    }
    context.step(`rename to envs/${as}`);
    await renameDurably(context.layout.trashed(entry.id), context.layout.env(as));
    return envInfo(context, as, await readEnvDocument(context.layout.envDocument(as)));
  });
}
