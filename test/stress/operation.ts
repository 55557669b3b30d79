import type { Store } from '../../src/store/index.ts';

/** What the process that is killed is asked to do, as a line of JSON. */
export type Operation =
  | { readonly kind: 'import'; readonly file: string; readonly ref: string }
  | { readonly kind: 'commit'; readonly env: string }
  | { readonly kind: 'rm'; readonly env: string }
  | { readonly kind: 'gc' }
  | { readonly kind: 'tag'; readonly ref: string; readonly version: string };

export type OperationKind = Operation['kind'];

/** Does it; resolves to the version that it made or named, if it does that. */
export async function perform(store: Store, operation: Operation): Promise<string | undefined> {
  switch (operation.kind) {
    case 'import':
      return (await store.versions.import(operation.file, { ref: operation.ref })).version.digest;
    case 'commit':
      return (await store.envs.commit(operation.env, { message: 'killed or not' })).version.digest;
    case 'rm':
      await store.envs.remove(operation.env);
      return;
    case 'gc':
      await store.gc({ graceDays: 0 });
      return;
    case 'tag':
      return (await store.refs.set(operation.ref, operation.version)).version;
  }
}
