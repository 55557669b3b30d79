import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { checkEnvName } from './env-name.ts';

/**
 * Looks at an env without a lock. When the look fails because the env was removed meanwhile, and perhaps made anew, that
 * is no fault of the env: it looks again at what has the name now.
 * @throws CalveError `usage`, `not-found`; what `look` threw of an env that stayed where it is
 */
export async function lookAtEnv<Seen>(
  context: StoreContext,
  name: string,
  look: () => Promise<Seen>,
): Promise<Seen> {
  const folder = context.layout.env(checkEnvName(name));
  for (;;) {
    const before = statFile(folder);
    if (before === undefined) {
      throw new CalveError('not-found', `no environment is called ${name}`, { hint: 'calve ls' });
    }
    try {
      return await look();
    } catch (error) {
      if (statFile(folder)?.inode === before.inode) throw error;
    }
  }
}
