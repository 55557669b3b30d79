import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore, type Store } from '../../src/store/index.ts';
import { commandLine } from '../support/calve.ts';
import { contentOf } from '../support/disk-content.ts';
import { seededRandom } from '../support/random.ts';
import { temporaryFolder } from '../support/temporary.ts';
import type { Operation, OperationKind } from './operation.ts';
import { type Outcome, Victim } from './victim.ts';

const KINDS: readonly OperationKind[] = ['import', 'commit', 'rm', 'gc', 'tag'];
const SIZE = 1 << 20;
const { CALVE_KILLS, CALVE_SEED } = process.env;
const kills = Number(CALVE_KILLS ?? 200);
const seed = Number(CALVE_SEED ?? Date.now() % 1_000_000);

/** Kills on one store, before a fresh one is taken: the check after each costs what has gathered. */
const KILLS_A_STORE = 40;
/** Rounds of each kind, on each store, that nobody is killed in, to learn how long it takes just now. */
const MEASURED = 2;

test(`the store is sound after kill -9 at ${kills} random moments of import, commit, rm, gc and tag`, async (t) => {
  t.diagnostic(`CALVE_SEED=${seed}`);
  const over = new AbortController();
  t.after(() => over.abort());
  const random = seededRandom(seed);
  const took = new Map<OperationKind, number>();
  const hits = new Map<OperationKind, number>();
  const add = (to: Map<OperationKind, number>, kind: OperationKind, what: number) => {
    to.set(kind, (to.get(kind) ?? 0) + what);
  };
  for (let killed = 0; killed < kills; killed += KILLS_A_STORE) {
    await using folder = await temporaryFolder();
    const store = await openStore(folder.join('store'));
    const world = await World.make(store, folder.join('disk.raw'));
    const start = (round: number) => {
      const scratch = folder.join(`scratch-${round}`);
      return Victim.start(store.folder, scratch, kindOf(round), over.signal);
    };
    const measured = MEASURED * KINDS.length;
    const rounds = measured + Math.min(KILLS_A_STORE, kills - killed);
    took.clear();
    let next: Promise<Victim> | undefined = start(0);
    for (let round = 0; round < rounds; round += 1) {
      const kind = kindOf(round);
      const victim: Victim = (await next) ?? assert.fail();
      // The next one warms up while this one's end is looked at.
      next = round + 1 < rounds ? start(round + 1) : undefined;
      const operation = await world.prepare(kind);
      const delay = round < measured ? undefined : (random() * (took.get(kind) ?? 0)) / MEASURED;
      const outcome = await victim.perform(operation, delay);
      if (delay === undefined) add(took, kind, outcome.took);
      else if (!outcome.acknowledged) add(hits, kind, 1);
      try {
        await world.check(operation, outcome);
      } catch (error) {
        throw new Error(`${kind}, round ${killed + round}, killed after ${delay} ms`, { cause: error });
      }
    }
    await world.checkAll();
  }

  for (const [kind, sum] of took) {
    t.diagnostic(`${kind}: ${hits.get(kind) ?? 0} killed inside its ${(sum / MEASURED).toFixed(1)} ms or so`);
  }
  const inside = [...hits.values()].reduce((sum, count) => sum + count, 0);
  t.diagnostic(`${inside} of ${kills} kills landed inside an operation`);
  assert.ok(inside > kills / 2);
});

function kindOf(round: number): OperationKind {
  return KINDS[round % KINDS.length] ?? 'tag';
}

/** A store and what must be in it. */
class World {
  readonly #store: Store;
  readonly #file: string;
  /** What each ref must point at, and what that version's disk must hold. */
  readonly #refs = new Map<string, { version: string; content: string }>();
  /** What the disk of the env to be committed and of the one to be removed must read. */
  readonly #envs = new Map<string, string>();
  #round = 0;

  private constructor(store: Store, file: string) {
    this.#store = store;
    this.#file = file;
  }

  static async make(store: Store, file: string): Promise<World> {
    const world = new World(store, file);
    await world.#write();
    for (const ref of ['base:latest', 'main:latest']) {
      const { version } = await store.versions.import(file, { ref });
      await world.#learn(ref, version.digest);
    }
    await store.envs.create('main', { name: 'work' });
    await store.envs.create('base', { name: 'victim' });
    world.#envs.set('victim', await contentOf(store.envs.openDisk('victim')));
    return world;
  }

  /** Makes the store ready for an operation of this kind. */
  async prepare(kind: OperationKind): Promise<Operation> {
    this.#round += 1;
    switch (kind) {
      case 'import':
        await this.#write();
        return { kind, file: this.#file, ref: `import-${this.#round}:latest` };
      case 'commit': {
        await this.#change('work');
        return { kind, env: 'work' };
      }
      case 'rm':
        await this.#change('victim');
        return { kind, env: 'victim' };
      case 'gc':
        await this.#write();
        await this.#store.versions.import(this.#file, { ref: null });
        await this.#write();
        await this.#store.versions.import(this.#file, { ref: null });
        return { kind };
      case 'tag': {
        const refs = [...this.#refs.values()];
        return {
          kind,
          ref: 'tag:latest',
          version: refs[this.#round % refs.length]?.version ?? assert.fail(),
        };
      }
    }
  }

  /** Asserts that the operation happened as a whole or not at all, and did if that was said; and that life goes on. */
  async check(operation: Operation, outcome: Outcome): Promise<void> {
    const store = this.#store;
    assert.deepEqual((await store.fsck()).problems, []);
    switch (operation.kind) {
      case 'import': {
        const ref = await this.#refNow(operation.ref);
        if (outcome.acknowledged) assert.equal(ref, outcome.version);
        if (ref !== undefined) {
          await this.#learn(operation.ref, ref);
          assert.equal(this.#refs.get(operation.ref)?.content, await this.#written());
        }
        break;
      }
      case 'commit': {
        const { version } = await store.envs.get('work');
        const before = this.#refs.get('main:latest')?.version;
        if (outcome.acknowledged) assert.equal(version, outcome.version);
        assert.equal(await contentOf(store.envs.openDisk('work')), this.#envs.get('work'));
        if (version !== before) {
          assert.equal((await store.versions.get(version)).parents[0], before);
          await this.#learn('main:latest', version);
          assert.equal(this.#refs.get('main:latest')?.content, this.#envs.get('work'));
        }
        break;
      }
      case 'rm': {
        const there = (await store.envs.list()).some((env) => env.name === 'victim');
        const trashed = (await store.trash.list()).some((one) => one.name === 'victim');
        assert.equal(there, !trashed, 'an environment is in its place or in the trash, and not in both');
        if (outcome.acknowledged) assert.ok(trashed);
        if (trashed) await store.trash.restore('victim');
        assert.equal(await contentOf(store.envs.openDisk('victim')), this.#envs.get('victim'));
        break;
      }
      case 'tag': {
        const ref = await this.#refNow('tag:latest');
        if (outcome.acknowledged) assert.equal(ref, operation.version);
        if (ref === operation.version) await this.#learn('tag:latest', ref);
        break;
      }
    }
    const expected = [...this.#refs].map(([name, { version }]) => ({ name, version }));
    assert.deepEqual(
      await store.refs.list(),
      expected.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    );
    assert.deepEqual((await store.envs.list()).map((env) => env.name).sort(), ['victim', 'work']);

    // The next command cleans up behind the dead one.
    const { version } = await store.refs.set('next:latest', 'base');
    await this.#learn('next:latest', version);
    for (const name of ['tmp', 'journal'])
      assert.deepEqual(await readdir(join(store.folder, name)), [], name);
  }

  /** Asserts that everything that was ever acknowledged is there and reads as it did; by the command line too. */
  async checkAll(): Promise<void> {
    for (const [ref, { content }] of this.#refs) {
      assert.equal(await contentOf(this.#store.versions.openDisk(ref)), content, ref);
    }
    const calve = commandLine(this.#store.folder);
    await calve.ok('gc');
    assert.deepEqual(await readdir(join(this.#store.folder, 'tmp')), []);
    await calve.ok('fsck');
  }

  async #refNow(name: string): Promise<string | undefined> {
    return (await this.#store.refs.list()).find((ref) => ref.name === name)?.version;
  }

  async #learn(name: string, version: string): Promise<void> {
    const known = [...this.#refs.values()].find((ref) => ref.version === version)?.content;
    this.#refs.set(name, {
      version,
      content: known ?? (await contentOf(this.#store.versions.openDisk(version))),
    });
  }

  /** A disk that no version holds yet, half of it random and half of it zeros. */
  async #write(): Promise<void> {
    await writeFile(this.#file, Buffer.concat([randomBytes(SIZE / 2)], SIZE));
  }

  async #written(): Promise<string> {
    const { openRawDisk } = await import('../../src/disk/index.ts');
    return contentOf(openRawDisk(this.#file));
  }

  async #change(env: string): Promise<void> {
    {
      await using disk = await this.#store.envs.openDisk(env, { writable: true });
      await disk.write(randomBytes(SIZE >> 4), (this.#round % 8) * (SIZE >> 3));
    }
    this.#envs.set(env, await contentOf(this.#store.envs.openDisk(env)));
  }
}
