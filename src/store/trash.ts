import type { StoreContext } from './context.ts';
import type { EnvInfo, TrashInfo } from './types.ts';

/** What was removed. An id may be cut short to the env's name: then the newest of that name is meant. */
export class Trash {
  readonly #context: StoreContext;
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** The newest first. */
  async list(): Promise<TrashInfo[]> {
    const { listTrash } = await import('./list-trash.ts');
    return listTrash(this.#context);
  }

  /**
   * Brings an env back, under its own name or another.
   * @throws CalveError `not-found`, `exists`
   */
  async restore(id: string, name?: string): Promise<EnvInfo> {
    const { restoreTrash } = await import('./restore-trash.ts');
    return restoreTrash(this.#context, id, name);
  }

  /**
   * Deletes entries for good: those of these ids, or all; of them, those removed before `olderThan` (RFC 3339).
   * All or none; returns what was deleted.
   * @throws CalveError `not-found`, `in-use`
   */
  async empty(
    options: { readonly ids?: readonly string[] | undefined; readonly olderThan?: string | undefined } = {},
  ): Promise<TrashInfo[]> {
    const { emptyTrash } = await import('./empty-trash.ts');
    return emptyTrash(this.#context, options);
  }
}
