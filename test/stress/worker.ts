// One of many processes that work on one store at a time: `worker.ts STORE ID MILLISECONDS`. It has refs and environments of its
// own, on which nothing may ever fail, and uses some that everybody uses, where only collisions may be refused.
import { type CalveError, CalveError as Failure } from '../../src/errors/index.ts';
import { openStore } from '../../src/store/index.ts';
import { seededRandom } from '../support/random.ts';
import { BLOCK, BLOCKS, type Journal, TEXT } from './journal.ts';

const [folder = '', idText = '0', milliseconds = '0'] = process.argv.slice(2);
const id = Number(idText);
const random = seededRandom(id + 1);
const store = await openStore(folder);

type Content = Record<number, string>;
const done: Record<string, number> = {};
const refs: Record<string, string | null> = {};
const versions: Record<string, Content> = {};
const envs = new Map<string, { version: string; content: Content }>();
const removed: string[] = [];
const refused: Record<string, number> = {};
const faults: string[] = [];
let serial = 0;

const below = (limit: number): number => Math.floor(random() * limit);
const oneOf = <T>(values: Iterable<T>): T | undefined => {
  const all = [...values];
  return all[below(all.length)];
};
const count = (where: Record<string, number>, what: string) => {
  where[what] = (where[what] ?? 0) + 1;
};

/** Work on what is this process's alone: every error is a fault. */
async function alone(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    count(done, what);
  } catch (error) {
    faults.push(`${what}: ${error instanceof Failure ? error.code : ''} ${error}`);
  }
}

/** Work on what everybody uses: these codes are collisions, any other is a fault. */
async function among(
  what: string,
  codes: readonly CalveError['code'][],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
    count(done, what);
  } catch (error) {
    if (error instanceof Failure && codes.includes(error.code)) count(refused, `${what} ${error.code}`);
    else faults.push(`${what}: ${error instanceof Failure ? error.code : ''} ${error}`);
  }
}

async function write(env: string): Promise<[block: number, text: string]> {
  const block = below(BLOCKS);
  serial += 1;
  const text = `${id}-${serial}`.padEnd(TEXT);
  await using disk = await store.envs.openDisk(env, { writable: true });
  await disk.write(Buffer.from(text), block * BLOCK);
  return [block, text];
}

const operations: readonly (() => Promise<void>)[] = [
  async function create() {
    if (envs.size > 3) return;
    const own = oneOf(Object.keys(versions));
    const expression = own !== undefined && random() < 0.3 ? own : 'base';
    const name = `own-${id}-${serial++}`;
    await alone('new', async () => {
      const [env] = await store.envs.create(expression, { name });
      if (env !== undefined) envs.set(name, { version: env.version, content: versions[env.version] ?? {} });
    });
  },
  async function commit() {
    const [name, env] = oneOf(envs) ?? [];
    if (name === undefined || env === undefined) return;
    await alone('commit', async () => {
      const [block, text] = await write(name);
      const ref = `own-${id}/commit-${serial}:latest`;
      const { version } = await store.envs.commit(name, { message: text, ref });
      const content = { ...env.content, [block]: text };
      versions[version.digest] = content;
      refs[ref] = version.digest;
      envs.set(name, { version: version.digest, content });
    });
  },
  async function tag() {
    const version = oneOf(Object.keys(versions));
    if (version === undefined) return;
    const ref = `own-${id}/tag-${below(4)}:latest`;
    await alone('tag', async () => {
      await store.refs.set(ref, version);
      refs[ref] = version;
    });
  },
  async function untag() {
    const ref = oneOf(Object.keys(refs).filter((name) => name.includes('/tag-') && refs[name] !== null));
    if (ref === undefined) return;
    await alone('untag', async () => {
      await store.refs.remove(ref);
      refs[ref] = null;
    });
  },
  async function remove() {
    const name = oneOf(envs.keys());
    if (name === undefined) return;
    await alone('rm', async () => {
      await store.envs.remove(name);
      envs.delete(name);
      removed.push(name);
    });
  },
  async function collect() {
    if (random() < 0.7) return;
    await alone('gc', async () => {
      await store.gc({ graceDays: 0 });
    });
  },
  async function createShared() {
    await among('new shared', ['exists'], async () => {
      await store.envs.create('shared', { name: `shared-${below(5)}` });
    });
  },
  async function commitShared() {
    const name = `shared-${below(5)}`;
    await among('commit shared', ['in-use', 'not-found', 'diverged', 'unchanged'], async () => {
      await write(name);
      await store.envs.commit(name, { message: 'shared' });
    });
  },
  async function removeShared() {
    await among('rm shared', ['in-use', 'not-found'], async () => {
      await store.envs.remove(`shared-${below(5)}`);
    });
  },
  async function tagShared() {
    await among('tag shared', [], async () => {
      await store.refs.set('shared', 'base');
    });
  },
];

// Each once, in order, so that the time is not spent on loading modules.
for (const operation of operations) await operation();
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
const end = performance.now() + Number(milliseconds);
while (performance.now() < end) await oneOf(operations)?.();
process.stdin.destroy();
const journal: Journal = {
  ...{ id, done, refs, versions, removed, refused, faults },
  envs: Object.fromEntries([...envs].map(([name, { version }]) => [name, version])),
};
process.stdout.write(JSON.stringify(journal));
