import { openStore, type Store } from '../../src/store/index.ts';
import { commandLine } from '../../test/support/calve.ts';
import { makeWideStore } from '../../test/support/wide-store.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { seconds } from '../requests.ts';

const FEW = 10;
const MANY = 1000;

/** The same command on a store with 1,000 versions and environments (calve) and on one with 10 (peer). */
export function scaleCases(scene: BenchScene): BenchCase[] {
  const [few, many] = [scene.join('few'), scene.join('many')];
  let prepared = false;
  const prepare = async (): Promise<void> => {
    if (prepared) return;
    prepared = true;
    for (const [folder, count] of [[few, FEW] as const, [many, MANY] as const]) {
      await makeWideStore(folder, { versions: count, envs: count });
    }
  };
  let made = 0;
  const command = (name: string, args: () => string[]): BenchCase => {
    const on = (folder: string) => () => seconds(() => commandLine(folder).ok(...args()));
    return { name: `scale calve ${name}`, amount: 1, unit: 'ops', prepare, calve: on(many), peer: on(few) };
  };
  const call = (name: string, act: (store: Store) => Promise<unknown>): BenchCase => {
    const on = (folder: string) => async () => {
      const store = await openStore(folder);
      return seconds(() => act(store));
    };
    return { name: `scale store.${name}`, amount: 1, unit: 'ops', prepare, calve: on(many), peer: on(few) };
  };
  return [
    command('ls', () => ['ls']),
    command('images', () => ['images']),
    command('log', () => ['log']),
    command('status', () => ['status', 'env-5']),
    command('new', () => ['new', 'wide:5', `bench-${made++}`]),
    command('df', () => ['df']),
    command('gc', () => ['gc', '--dry-run']),
    command('fsck', () => ['fsck']),
    command('completion', () => ['__complete', '--', 'status', '']),
    call('envs.list', (store) => store.envs.list()),
    call('versions.log', (store) => Array.fromAsync(store.versions.log())),
    call('envs.status', (store) => store.envs.status('env-5')),
    call('envs.create', (store) => store.envs.create('wide:5', { name: `bench-${made++}` })),
    call('df', (store) => store.df()),
  ];
}
