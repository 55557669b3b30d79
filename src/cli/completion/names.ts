import { CalveError } from '../../errors/index.ts';
import type { Store } from '../../store/index.ts';
import type { Session } from '../session.ts';
import { shortDigest } from '../short-digest.ts';
import type { Candidate } from './candidate.ts';

const LISTS: Readonly<Record<string, (store: Store) => Promise<Candidate[]>>> = {
  env: async (store) =>
    (await store.envs.list()).map((env) => ({
      word: env.name,
      note: `environment on ${env.ref ?? shortDigest(env.version)}`,
    })),
  ref: async (store) =>
    (await store.refs.list()).map((ref) => ({ word: ref.name, note: shortDigest(ref.version) })),
  // What a ref pointed at: offered when the @ is typed.
  moves: async (store) =>
    (await store.refs.history()).map((move) => ({ word: move.expression, note: move.command })),
  base: async (store) =>
    (await store.envs.list()).map((env) => ({ word: `${env.name}@base`, note: 'what it stands on' })),
  id: async (store) =>
    (await store.trash.list()).map((entry) => ({ word: entry.id, note: `removed ${entry.removed}` })),
};

/**
 * The names of these kinds (`env`, `ref`, `id` of the trash) in the store; none when there is no store.
 *
 * @param folder the store that the unfinished line names, if it does
 */
export async function namesOf(
  kinds: readonly string[],
  session: Session,
  folder: string | undefined,
): Promise<Candidate[]> {
  const lists = kinds.flatMap((kind) => LISTS[kind] ?? []);
  if (lists.length === 0) return [];
  const { openStore } = await import('../../store/index.ts');
  try {
    const store = await openStore(folder ?? session.globals.store, { create: false });
    return (await Promise.all(lists.map((list) => list(store)))).flat();
  } catch (error) {
    // Half-typed lines are not the place for complaints about a store.
    if (error instanceof CalveError) return [];
    throw error;
  }
}
