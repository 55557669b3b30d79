import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import type { RefInfo, RefMove } from './types.ts';

/** Refs. A name without a tag means `:latest`. */
export class Refs {
  readonly #context: StoreContext;
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Every ref, by name. Reads `index.json` and no more. */
  async list(): Promise<RefInfo[]> {
    const { listRefs } = await import('./list-refs.ts');
    return listRefs(this.#context);
  }

  /** @throws CalveError `usage`, `not-found` */
  async get(name: string): Promise<RefInfo> {
    const { getRef } = await import('./list-refs.ts');
    return getRef(this.#context, name);
  }

  /**
   * Makes or moves a ref. A ref that was removed comes back with `set('debian', 'debian@{1}')`.
   * @param options.command what the log says made the move (default `tag`)
   * @param options.expect where the ref must point now (null: nowhere), else CalveError `diverged`
   * @throws CalveError `usage`, `not-found`, `diverged`, `changed` when the version misses a blob
   */
  async set(
    name: string,
    expression: string,
    options: { readonly command?: string | undefined; readonly expect?: Digest | null | undefined } = {},
  ): Promise<RefInfo> {
    const { setRef } = await import('./set-ref.ts');
    return setRef(this.#context, name, expression, options);
  }

  /** @throws CalveError `usage`, `not-found` */
  async remove(name: string, options: { readonly command?: string | undefined } = {}): Promise<RefInfo> {
    const { removeRef } = await import('./set-ref.ts');
    return removeRef(this.#context, name, options);
  }

  /** The ref's moves, newest first; of a ref that was removed too. */
  async history(name: string): Promise<RefMove[]> {
    const { refHistory } = await import('./list-refs.ts');
    return refHistory(this.#context, name);
  }
}
