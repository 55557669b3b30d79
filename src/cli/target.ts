import { CalveError } from '../errors/index.ts';
import type { Store, Target } from '../store/index.ts';
import type { Session } from './session.ts';

/** What a name stands for: an environment before a ref. Says which was taken when it could be both. */
export async function resolveTarget(session: Session, store: Store, name: string): Promise<Target> {
  const target = await store.resolve(name);
  if (target.kind === 'env' && (await isRef(store, name))) {
    session.output.say(
      `${name} is an environment and a ref: taking the environment (the ref is ${name}:latest)`,
    );
  }
  return target;
}

async function isRef(store: Store, name: string): Promise<boolean> {
  try {
    await store.refs.get(name);
    return true;
  } catch (error) {
    // An environment's name need not be a well-formed ref.
    if (CalveError.is(error, 'not-found') || CalveError.is(error, 'usage')) return false;
    throw error;
  }
}
