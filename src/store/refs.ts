import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import type { LoggedRefMove, RefInfo } from './types.ts';

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
   * @throws CalveError `usage`, `not-found`, `diverged`, `denied` when the ref is protected, `changed` when the
   * version misses a blob
   */
  async set(
    name: string,
    expression: string,
    options: { readonly command?: string | undefined; readonly expect?: Digest | null | undefined } = {},
  ): Promise<RefInfo> {
    const { setRef } = await import('./set-ref.ts');
    return setRef(this.#context, name, expression, options);
  }

  /** @throws CalveError `usage`, `not-found`, `denied` when the ref is protected */
  async remove(name: string, options: { readonly command?: string | undefined } = {}): Promise<RefInfo> {
    const { removeRef } = await import('./set-ref.ts');
    return removeRef(this.#context, name, options);
  }

  /**
   * Keeps the ref where it is: nothing moves it, removes it or makes it anew, until `unprotect`. Nothing happens to
   * one that is protected already.
   * @throws CalveError `usage`, `not-found`
   */
  async protect(name: string): Promise<RefInfo> {
    const { protectRef } = await import('./protect-ref.ts');
    return protectRef(this.#context, name, true);
  }

  /** @throws CalveError `usage`, `not-found` */
  async unprotect(name: string): Promise<RefInfo> {
    const { protectRef } = await import('./protect-ref.ts');
    return protectRef(this.#context, name, false);
  }

  /**
   * The moves of a ref, newest first, of one that was removed too; without a name those of all refs.
   * @param options.limit no more than this many
   */
  async history(
    name?: string,
    options: { readonly limit?: number | undefined } = {},
  ): Promise<LoggedRefMove[]> {
    const { refHistory } = await import('./list-refs.ts');
    return refHistory(this.#context, name, options.limit);
  }
}
