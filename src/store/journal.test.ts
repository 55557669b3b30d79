import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import { CalveError } from '../errors/index.ts';
import { digestOf } from '../oci/index.ts';
import { doMove, type MoveRecord, moveFolder } from './journal.ts';
import { locked } from './locking.ts';
import { appendRefMove, refMoves } from './ref-log.ts';
import { openStaging } from './staging.ts';
import type { RefMove } from './types.ts';

const ID = '0123456789abcdef';
const TIME = '2026-01-01T00:00:00.000Z';
const LOGGED: RefMove = {
  id: 'm',
  time: TIME,
  ref: 'a:latest',
  from: null,
  to: digestOf('x'),
  command: 'test',
};

/** A move of two files and a log entry, as `journal/<id>/` holds it. */
const record = (recorded: string): MoveRecord => ({
  command: 'test',
  time: TIME,
  steps: [
    { rename: [`${recorded}/first`, 'envs/work/first'] },
    { rename: [`${recorded}/second`, 'envs/work/second'] },
    { log: LOGGED },
  ],
});

async function envOf({ context }: StoreScene): Promise<void> {
  await mkdir(context.layout.env('work'));
  for (const name of ['first', 'second']) await writeFile(join(context.layout.env('work'), name), 'old');
}

async function contents({ context }: StoreScene): Promise<string> {
  const files = ['first', 'second'].map((name) => readFile(join(context.layout.env('work'), name), 'utf8'));
  return [...(await Promise.all(files)), [...refMoves(context)].map((move) => move.id)].join(' ');
}

/** Leaves the store as a process that was killed after `done` of the steps leaves it. */
async function crashAfter(scene: StoreScene, done: number): Promise<void> {
  const { layout } = scene.context;
  const folder = join(layout.journal, ID);
  await mkdir(folder);
  for (const name of ['first', 'second']) await writeFile(join(folder, name), 'new');
  const { steps, ...rest } = record(`journal/${ID}`);
  await writeFile(join(folder, 'record.json'), JSON.stringify({ ...rest, steps }));
  for (const step of steps.slice(0, done)) {
    if ('log' in step) await appendRefMove(scene.context, step.log);
    else await rename(join(layout.folder, step.rename[0]), join(layout.folder, step.rename[1]));
  }
}

async function assertNothingLeft({ context }: StoreScene): Promise<void> {
  assert.deepEqual(await readdir(context.layout.journal), []);
  assert.deepEqual(await readdir(context.layout.tmp), []);
}

test('a move is done whole', async () => {
  await using scene = await storeScene();
  await envOf(scene);
  {
    await using staging = await openStaging(scene.context);
    const { folder, recorded } = moveFolder(staging);
    await mkdir(folder);
    for (const name of ['first', 'second']) await writeFile(join(folder, name), 'new');
    await locked(scene.context, () => doMove(scene.context, staging, record(recorded)));
  }
  assert.equal(await contents(scene), 'new new m');
  await assertNothingLeft(scene);
});

for (const done of [0, 1, 2, 3]) {
  const outcome = done === 0 ? 'has not happened' : 'has happened';
  test(`a move that was cut off after ${done} of 3 steps ${outcome} once the store is used again`, async () => {
    await using scene = await storeScene();
    await envOf(scene);
    await crashAfter(scene, done);
    assert.deepEqual(
      await scene.store.refs.history('a'),
      done === 0 ? [] : [{ ...LOGGED, expression: 'a:latest@{0}' }],
    );
    assert.equal(await contents(scene), done === 0 ? 'old old ' : 'new new m');
    await assertNothingLeft(scene);
  });
}

test('a replay that is cut off is replayed, and tmp may be emptied by hand in between', async () => {
  await using scene = await storeScene();
  await envOf(scene);
  await crashAfter(scene, 1);
  const killed = { ...scene.context, step: cutAt('log the move') };
  await assert.rejects(
    locked(killed, async () => {}),
    /cut off/,
  );
  await rm(scene.context.layout.tmp, { recursive: true });
  await mkdir(scene.context.layout.tmp);
  await locked(scene.context, async () => {});
  assert.equal(await contents(scene), 'new new m');
});

test('what belongs to an env that was removed by hand meanwhile is no longer finished', async () => {
  await using scene = await storeScene();
  await envOf(scene);
  await crashAfter(scene, 1);
  await rm(scene.context.layout.env('work'), { recursive: true });
  await locked(scene.context, async () => {});
  assert.equal(existsSync(scene.context.layout.env('work')), false);
  await assertNothingLeft(scene);
});

test('a first step that fails leaves everything as it was', async () => {
  await using scene = await storeScene();
  {
    await using staging = await openStaging(scene.context);
    const { folder, recorded } = moveFolder(staging);
    await mkdir(folder);
    for (const name of ['first', 'second']) await writeFile(join(folder, name), 'new');
    // There is no env to rename them into.
    await assert.rejects(
      locked(scene.context, () => doMove(scene.context, staging, record(recorded))),
      (error) => CalveError.is(error, 'not-found'),
    );
  }
  assert.deepEqual(await scene.store.refs.history('a'), []);
  await assertNothingLeft(scene);
});

test('a later step that fails says that the move is decided, and the next command finishes it', async () => {
  await using scene = await storeScene();
  await envOf(scene);
  {
    await using staging = await openStaging(scene.context);
    const { folder, recorded } = moveFolder(staging);
    await mkdir(folder);
    for (const name of ['first', 'second']) await writeFile(join(folder, name), 'new');
    const failing = { ...scene.context, step: cutAt('rename to envs/work/second') };
    await assert.rejects(
      locked(scene.context, () => doMove(failing, staging, record(recorded))),
      (error) => CalveError.is(error, 'io') && /next command/.test(error.hint ?? ''),
    );
  }
  await locked(scene.context, async () => {});
  assert.equal(await contents(scene), 'new new m');
  await assertNothingLeft(scene);
});

test('a record that is broken, or names a path outside of the store, is refused by file and field', async () => {
  for (const [path, pattern] of [
    ['../../etc/passwd', /below the store/],
    ['/etc/passwd', /below the store/],
    ['envs//x', /below the store/],
  ] as const) {
    await using scene = await storeScene();
    const folder = join(scene.context.layout.journal, ID);
    await mkdir(folder);
    const steps = [{ rename: [path, 'envs/work/first'] }];
    await writeFile(join(folder, 'record.json'), JSON.stringify({ command: 'x', time: TIME, steps }));
    await assert.rejects(
      scene.store.refs.list(),
      (error) =>
        CalveError.is(error, 'corrupt') &&
        /record\.json: steps/.test(error.message) &&
        pattern.test(error.message),
    );
  }
});

function cutAt(step: string): (name: string) => void {
  return (name) => {
    if (name === step) throw new Error('cut off');
  };
}
