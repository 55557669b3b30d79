import { open, rm } from 'node:fs/promises';
import { openStore, type Store } from '../../src/store/index.ts';
import { type DockerRegistry, dockerRegistry } from '../../test/registry/docker-registry.ts';
import { succeed } from '../../test/support/programs.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, wordsPool } from '../images.ts';
import { seconds } from '../requests.ts';

const LAYERS = 4;
const NAME = 'team/disk';

/** A version whose layers go to and come from a registry on the loopback, beside `skopeo copy` of the same blobs. */
export function remoteCases(scene: BenchScene): BenchCase[] {
  const layer = (scene.short ? 4 : 160) * MIB;
  const amount = (LAYERS * layer) / 1e6;
  let making: Promise<Store> | undefined;
  const stored = () => (making ??= makeStore(scene, layer));
  const pushed = new FreshRegistry(scene.join('registry'));
  const pulled = new FreshRegistry(scene.join('pulled'));
  return [
    {
      name: `remote push of ${LAYERS} layers`,
      ...{ amount, unit: 'MB' },
      prepare: async () => void (await stored()),
      calve: async () => {
        const { remotes } = await stored();
        const host = await pushed.begin();
        return seconds(() => remotes.push('disk', `${host}/${NAME}`));
      },
      peer: async () => {
        const { folder } = await stored();
        const host = await pushed.begin();
        const to = [
          '--dest-tls-verify=false',
          `oci:${folder}:disk:latest`,
          `docker://${host}/${NAME}:latest`,
        ];
        return seconds(() => succeed('skopeo', ['copy', '--quiet', '--preserve-digests', ...to]));
      },
      end: () => pushed.end(),
    },
    {
      name: `remote pull of ${LAYERS} layers`,
      ...{ amount, unit: 'MB' },
      prepare: async () => {
        const { remotes } = await stored();
        await remotes.push('disk', `${await pulled.begin()}/${NAME}`);
      },
      calve: async () => {
        const store = await openStore(scene.join('to'));
        const taken = await seconds(() => store.remotes.pull(`${pulled.host}/${NAME}`));
        await rm(store.folder, { recursive: true });
        return taken;
      },
      peer: async () => {
        const to = scene.join('layout');
        const from = ['--src-tls-verify=false', `docker://${pulled.host}/${NAME}:latest`, `oci:${to}:disk`];
        const taken = await seconds(() =>
          succeed('skopeo', ['copy', '--quiet', '--all', '--preserve-digests', ...from]),
        );
        await rm(to, { recursive: true });
        return taken;
      },
      end: () => pulled.end(),
    },
  ];
}

/** A registry that can be emptied. */
class FreshRegistry {
  readonly #folder: string;
  #registry: DockerRegistry | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get host(): string {
    if (this.#registry === undefined) throw new Error('the registry has not begun');
    return this.#registry.host;
  }

  async begin(): Promise<string> {
    await this.end();
    this.#registry = await dockerRegistry(this.#folder);
    return this.host;
  }

  async end(): Promise<void> {
    await this.#registry?.[Symbol.asyncDispose]();
    this.#registry = undefined;
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function makeStore(scene: BenchScene, layer: number): Promise<Store> {
  const store = await openStore(scene.join('store'));
  const raw = scene.join('disk.raw');
  const piece = Buffer.alloc(MIB);
  const fill = wordsPool(1);
  await using file = await open(raw, 'w');
  await file.truncate(LAYERS * layer);
  for (let at = 0; at < LAYERS * layer; at += layer) {
    for (let offset = at; offset < at + layer; offset += MIB) {
      fill(piece);
      await file.write(piece, 0, MIB, offset);
    }
    // Plain, so that as many bytes travel as the disk has.
    await store.versions.import(raw, { ref: 'disk', onto: at === 0 ? null : 'disk', compression: 'none' });
  }
  await rm(raw);
  return store;
}
