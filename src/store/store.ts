import { Config } from './config.ts';
import type { StoreContext } from './context.ts';
import { Envs } from './envs.ts';
import type { Target } from './options.ts';
import { Refs } from './refs.ts';
import { Trash } from './trash.ts';
import type { DfReport, FsckReport, GcReport, WorkOptions } from './types.ts';
import { Versions } from './versions.ts';

/** A store, opened. It holds no file open between calls, so there is nothing to close. */
export class Store {
  /** Absolute path. */
  readonly folder: string;
  readonly versions: Versions;
  readonly refs: Refs;
  readonly envs: Envs;
  readonly trash: Trash;
  readonly config: Config;
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.folder = context.layout.folder;
    this.#context = context;
    this.versions = new Versions(context);
    this.refs = new Refs(context);
    this.envs = new Envs(context);
    this.trash = new Trash(context);
    this.config = new Config(context);
  }

  /** What a name stands for: the environment of this name, else the version. */
  async resolve(target: string): Promise<Target> {
    const { resolveTarget } = await import('./expressions.ts');
    return resolveTarget(this.#context, target);
  }

  /**
   * Deletes blobs that nothing needs: not reachable from a ref, an env, the trash or the last 14 days of the ref log,
   * and older than the grace. Also trash that expired (7 days).
   * @param options.graceDays default 14; 0 prunes now
   */
  async gc(
    options: { readonly dryRun?: boolean | undefined; readonly graceDays?: number | undefined } = {},
  ): Promise<GcReport> {
    const { collectGarbage } = await import('./gc.ts');
    return collectGarbage(this.#context, options);
  }

  /** Hashes every blob and checks every document and reference; repairs nothing. */
  async fsck(options: WorkOptions = {}): Promise<FsckReport> {
    const { checkStore } = await import('./fsck.ts');
    return checkStore(this.#context, options);
  }

  /** Accounts for space. */
  async df(): Promise<DfReport> {
    const { accountSpace } = await import('./df.ts');
    return accountSpace(this.#context);
  }
}
