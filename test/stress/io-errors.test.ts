import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readdir, rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openStore } from '../../src/store/index.ts';
import { MAIN } from '../support/calve.ts';
import { ExpectedStates, everyOperation } from '../support/expected-states.ts';
import { type Injection, injectionOptions, withInjection } from '../support/inject-errors.ts';
import { startNode } from '../support/node.ts';
import { type Running, report, run } from '../support/programs.ts';
import { assertSound } from '../support/store-state.ts';
import { LONG } from '../support/suite.ts';
import type { Answer } from './subject.ts';

/** What asks a disk for something. `read` and `write`, by which threads wake each other too, fail on files alone. */
const CALLS = [
  ...['openat', 'access', 'statx', 'getdents64', 'pread64', 'pwrite64', 'ftruncate', 'fallocate', 'fchmod'],
  ...['copy_file_range', 'fsync', 'fdatasync', 'mkdir', 'rename', 'link', 'unlink', 'rmdir', 'read', 'write'],
];
const ON_FILES = new Set(['read', 'write']);
/** Their failure must never go by unnoticed: what was written is not known to be there. */
const SYNCS = new Set(['fsync', 'fdatasync']);

/** Where a sweep gives up. */
const MOST_FAULTS = 20;

/** What the short form does: of these calls every fourth. */
const STRIDE = 4;
const SHORT: Readonly<Record<string, readonly string[]>> = {
  commit: ['fsync', 'rename', 'pwrite64', 'unlink'],
  'new three': ['fsync', 'mkdir'],
  'remove by force': ['fsync', 'rename', 'unlink'],
  'export qcow2': ['fsync', 'link'],
};

let expected: ExpectedStates;
let subject: Subject;
before(async () => {
  expected = await ExpectedStates.make();
  subject = new Subject();
});
after(async () => {
  await subject[Symbol.asyncDispose]();
  await expected[Symbol.asyncDispose]();
});

describe('a disk that fails', () => {
  for (const name of Object.keys(LONG ? everyOperation : SHORT)) {
    it(`at any step of ${name} is told of, and loses nothing`, async (t) => {
      const failures: string[] = [];
      const faults: unknown[] = [];
      for (const syscall of LONG ? CALLS : (SHORT[name] ?? [])) {
        for (let when = 1; ; when += LONG ? 1 : STRIDE) {
          try {
            const failure = await attempt(name, { syscall, error: 'EIO', when });
            if (failure === undefined) break;
            failures.push(`${syscall} ${when}: ${failure}`);
          } catch (error) {
            faults.push(error);
            if (faults.length === MOST_FAULTS) break;
          }
        }
      }
      t.diagnostic(failures.join('\n'));
      assert.ok(failures.length > 0);
      assert.deepEqual(faults.map(String), []);
    });
  }

  it('is told of by the command line in a line', async () => {
    await using suffering = await sufferingStore();
    const injection = injectionOptions({ syscall: 'fsync', error: 'EIO', when: 1 });
    const command = [process.execPath, MAIN, 'commit', 'work'];
    const env = { CALVE_STORE: suffering.folder, UV_THREADPOOL_SIZE: '1', CALVE_DEBUG: undefined };
    const ran = await run('strace', [...injection, '-o', expected.scene.path('log'), ...command], { env });
    assert.equal(ran.code, 1, report(ran));
    // Another line is Node’s, which at the end of its main thread syncs its output.
    assert.match(ran.stderr, /^calve: cannot sync \/.*\/suffering\/tmp\/.*: EIO: i\/o error, fsync$/m);
    assert.doesNotMatch(ran.stderr, /unexpected error|^ +at /m);
    assert.equal(ran.stdout, '');
    assert.equal(await expected.in(suffering.folder), await expected.earlier);
  });

  it('because a quota is used up tells that there is no room', async () => {
    const failure = await attempt('commit', { syscall: 'pwrite64', error: 'EDQUOT', when: 1 });
    assert.match(failure ?? '', /^no-space: cannot write /);
  });
});

/** Does the operation while a call fails; resolves to what was said of it, or undefined when there were not so many. */
async function attempt(name: string, injection: Injection): Promise<string | undefined> {
  await using suffering = await sufferingStore();
  const { folder } = suffering;
  await subject.warm(name);
  const paths = ON_FILES.has(injection.syscall) ? await filesIn(folder) : [];
  const { result, failed } = await withInjection(subject.pid, { ...injection, paths }, () =>
    subject.ask(name, folder),
  );
  if (failed.length > 0) return await judge(name, injection, folder, result, failed.join('\n'));
  assert.deepEqual(result, { done: true }, name);
  return undefined;
}

/** A copy of the filled store, which goes with what came to lie beside it. */
async function sufferingStore(): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = expected.scene.path('suffering');
  await cp(expected.scene.store.folder, folder, { recursive: true });
  return {
    folder,
    async [Symbol.asyncDispose]() {
      for (const what of ['', '.store', '.qcow2', '.raw']) {
        await rm(`${folder}${what}`, { recursive: true, force: true });
      }
    },
  };
}

async function judge(
  name: string,
  { syscall, error }: Injection,
  folder: string,
  answer: Answer,
  failed: string,
): Promise<string> {
  const when = `${name}, ${failed}: ${JSON.stringify(answer)}`;
  const state = await expected.in(folder);
  const later = await expected.later(name);
  if (answer.done) {
    assert.ok(!SYNCS.has(syscall), when);
    assert.equal(state, later, when);
  } else {
    assert.equal(answer.code, error === 'EIO' ? 'io' : 'no-space', when);
    assert.match(answer.message, /\/\.?suffering/, when);
    if (state !== later) assert.equal(state, await expected.earlier, when);
  }
  const store = await openStore(folder, { create: false });
  await assertSound(store, when);
  if (state !== later) {
    await everyOperation[name]?.(store);
    assert.equal(await expected.in(folder), later, when);
  }
  if (answer.done) return 'done all the same';
  return `${answer.code}: ${answer.message.replace('CalveError: ', '')}${state === later ? ' (happened)' : ''}`;
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => `${entry.parentPath}/${entry.name}`);
}

/** The process whose calls fail, which lives on. */
class Subject implements AsyncDisposable {
  readonly #running: Running;
  readonly #warm = new Set<string>();

  constructor() {
    const program = fileURLToPath(new URL('subject.ts', import.meta.url));
    // One thread for all that is not done at once, so that its calls can be counted.
    this.#running = startNode(program, [], { env: { UV_THREADPOOL_SIZE: '1' } });
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Has the operation done on a copy of its own, so that no module is still to be loaded. */
  async warm(name: string): Promise<void> {
    if (this.#warm.has(name)) return;
    this.#warm.add(name);
    const folder = expected.scene.path(`warm ${name}`);
    await cp(expected.scene.store.folder, folder, { recursive: true });
    assert.deepEqual(await this.ask(name, folder), { done: true });
  }

  async ask(name: string, folder: string): Promise<Answer> {
    const { child, ended, stdout } = this.#running;
    const before = stdout().length;
    child.stdin?.write(`${JSON.stringify([name, folder])}\n`);
    const died = ended.then((ran) => assert.fail(report(ran)));
    while (!stdout().endsWith('\n') || stdout().length === before) {
      await Promise.race([once(child.stdout ?? child, 'data'), died]);
    }
    const answer: Answer = JSON.parse(stdout().slice(before));
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running.child.stdin?.end();
    await this.#running.ended;
  }
}
