import type { ExportSource } from '../nbd/index.ts';
import type { AdoptReport } from './adopt-report.ts';
import { Config } from './config.ts';
import type { StoreContext } from './context.ts';
import { Envs } from './envs.ts';
import type {
  AdoptOptions,
  EventOptions,
  GcOptions,
  NbdExportsOptions,
  RepairOptions,
  Target,
} from './options.ts';
import { Refs } from './refs.ts';
import { Remotes } from './remotes.ts';
import { Trash } from './trash.ts';
import type { DfReport, FsckReport, GcReport, StoreEvent, WorkOptions } from './types.ts';
import { Versions } from './versions.ts';

/** A store, opened. It holds no file open between calls, so there is nothing to close. */
export class Store {
  /** Absolute path. */
  readonly folder: string;
  readonly versions: Versions;
  readonly refs: Refs;
  readonly envs: Envs;
  readonly trash: Trash;
  readonly remotes: Remotes;
  readonly config: Config;
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.folder = context.layout.folder;
    this.#context = context;
    this.versions = new Versions(context);
    this.refs = new Refs(context);
    this.envs = new Envs(context);
    this.trash = new Trash(context);
    this.remotes = new Remotes(context);
    this.config = new Config(context);
  }

  /** What a name stands for: the environment of this name, else the version. */
  async resolve(target: string): Promise<Target> {
    const { resolveTarget } = await import('./expressions.ts');
    return resolveTarget(this.#context, target);
  }

  /**
   * Brings in a folder of qcow2 images and what they stand on: bases become versions, overlays on which nothing stands
   * become envs. The files are only read. One that cannot be adopted is told in the report; what was adopted before is
   * known again.
   * @throws CalveError `not-found`, `denied` of the folder, or of the store; `no-space`, `aborted`: what was adopted until then stays
   */
  async adopt(folder: string, options: AdoptOptions = {}): Promise<AdoptReport> {
    const { adoptFolder } = await import('./adopt-folder.ts');
    return adoptFolder(this.#context, folder, options);
  }

  /**
   * Deletes blobs that nothing needs: not reachable from a ref, an env, the trash or the recent history of a ref, and
   * past their grace. Also trash that expired.
   * @throws CalveError `corrupt`, `changed`, `not-found` when what is needed cannot be told: then nothing is deleted
   */
  async gc(options: GcOptions = {}): Promise<GcReport> {
    const { collectGarbage } = await import('./gc.ts');
    return collectGarbage(this.#context, options);
  }

  /**
   * What changes in the store from `ready` on, by this process or any other, until the signal is aborted or the loop
   * is left. Moves of refs and collections are told one by one; an env or an entry of the trash that comes and goes
   * in one moment may not be. Where the file system reports no changes (NFS), they are told within 10 seconds.
   * @throws CalveError `not-found` when the log has no move `since`
   */
  async *events(options: EventOptions = {}): AsyncGenerator<StoreEvent> {
    const { storeEvents } = await import('./events.ts');
    yield* storeEvents(this.#context, options);
  }

  /**
   * Hashes every blob, checks the structure of every layer and of every overlay that is idle, every document and every
   * reference; repairs nothing.
   */
  async fsck(options: WorkOptions = {}): Promise<FsckReport> {
    const { checkStore } = await import('./fsck.ts');
    return checkStore(this.#context, options);
  }

  /**
   * As `fsck`, and mends what it can: modes of blobs, leaks in overlays, stray stamps; with `from`, every blob that is
   * harmed or missing and that the source has. What lay in a blob's place is kept in `harmed/` for as long as the trash.
   * The report's `problems` are those that are left. Cut off, it is gone on with by running it again.
   * @throws CalveError `not-found`, `unsupported`, `usage`, `corrupt` for a source that is none; `no-space`, `aborted`
   */
  async repair(options: RepairOptions = {}): Promise<FsckReport> {
    const { repairStore } = await import('./repair-store.ts');
    return repairStore(this.#context, options);
  }

  /**
   * Every ref and env by name, to be served by an `NbdServer` of `calve/nbd`: versions read-only, whatever is asked
   * for, each verified before; envs writable, each locked as QEMU would lock it while a client uses it. Refs and envs
   * that come, go or move are seen by whoever connects next.
   * @throws CalveError `not-found` for a `default` that there is not
   */
  async nbdExports(options: NbdExportsOptions = {}): Promise<ExportSource> {
    const { nbdExports } = await import('./nbd-exports.ts');
    return nbdExports(this.#context, options);
  }

  /** Accounts for space. */
  async df(): Promise<DfReport> {
    const { accountSpace } = await import('./df.ts');
    return accountSpace(this.#context);
  }
}
