import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import { openStore, type Store } from '../../src/store/index.ts';
import { bystanders, fillForAll, type Operation, operations, placeBeside } from './store-operations.ts';
import { type StoreScene, storeScene } from './store-scene.ts';
import { type KnownVersions, stateBeside, stateOf } from './store-state.ts';

/** Every operation, whether it changes the store or what lies beside it. */
export const everyOperation: Readonly<Record<string, Operation>> = { ...operations, ...bystanders };

/** A filled store, and what must be in it, and beside it, before an operation and after. */
export class ExpectedStates implements AsyncDisposable {
  readonly scene: StoreScene;
  readonly #known: KnownVersions = new Map();
  readonly #later = new Map<string, Promise<string>>();

  private constructor(scene: StoreScene) {
    this.scene = scene;
  }

  /** @param furnish what else the store shall hold */
  static async make(furnish: (store: Store) => Promise<void> = async () => {}): Promise<ExpectedStates> {
    const scene = await storeScene();
    await fillForAll(scene.store, scene.rawDisk);
    await furnish(scene.store);
    return new ExpectedStates(scene);
  }

  /** A folder, which is made, for copies of the store on its file system, with what operations read beside it. */
  async place(name: string): Promise<string> {
    const folder = this.scene.path(name);
    await mkdir(folder);
    await placeBeside(this.scene.path('.'), folder);
    return folder;
  }

  /** The state of a store, this one or a copy. */
  async in(folder: string): Promise<string> {
    const store = await openStore(folder, { create: false });
    return JSON.stringify([...(await stateOf(store, this.#known)), ...(await stateBeside(store))], null, 1);
  }

  /** Before an operation. */
  get earlier(): Promise<string> {
    return this.in(this.scene.store.folder);
  }

  /** After the operation of this name. */
  later(name: string): Promise<string> {
    const later = this.#later.get(name) ?? this.#perform(name);
    this.#later.set(name, later);
    return later;
  }

  async #perform(name: string): Promise<string> {
    const folder = this.scene.path(`after ${name}`);
    await cp(this.scene.store.folder, folder, { recursive: true });
    const perform = everyOperation[name] ?? assert.fail(`no operation is called ${name}`);
    await perform(await openStore(folder, { create: false }));
    return this.in(folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]();
  }
}
