import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { commandLine } from '../../test/support/calve.ts';
import { refused } from '../../test/support/refused.ts';
import { fillStore } from '../../test/support/store-operations.ts';
import { storeScene } from '../../test/support/store-scene.ts';
import type { EventOptions, StoreEvent } from './index.ts';
import { openStore } from './open-store.ts';
import type { Store } from './store.ts';

/** Events as they come; `until` resolves to those up to the first that is asked for, and forgets them. */
async function watching(store: Store, options: EventOptions = {}) {
  const abort = new AbortController();
  const events = store.events({ signal: abort.signal, ...options });
  assert.deepEqual((await events.next()).value, { kind: 'ready' });
  return {
    abort,
    events,
    async until(kind: StoreEvent['kind']): Promise<string[]> {
      const words: string[] = [];
      for (;;) {
        const { value } = await events.next();
        assert.ok(value !== undefined, `the events ended before ${kind}`);
        words.push(wordsFor(value));
        if (value.kind === kind) return words;
      }
    },
    [Symbol.asyncDispose]: async () => void (await events.return(undefined)),
  };
}

function wordsFor(event: StoreEvent): string {
  if (event.kind === 'ref') return `ref ${event.move.ref} ${event.move.command}`;
  if (event.kind === 'gc') return `gc ${event.run.blobs} ${event.run.trash}`;
  if ('name' in event) return `${event.kind} ${event.name}`;
  if ('id' in event) return `${event.kind} ${event.id.replace(/@.*/, '')}`;
  return 'ref' in event ? `${event.kind} ${event.ref}` : event.kind;
}

test('whatever changes in a store is told, by whomever', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  await using seen = await watching(store);
  await store.refs.set('stable', 'base');
  assert.deepEqual(await seen.until('ref'), ['ref stable:latest tag']);
  await store.refs.protect('stable');
  assert.deepEqual(await seen.until('ref-protected'), ['ref-protected stable:latest']);
  await store.refs.unprotect('stable');
  assert.deepEqual(await seen.until('ref-unprotected'), ['ref-unprotected stable:latest']);

  // Another process.
  const calve = commandLine(store.folder);
  await calve.ok('new', 'base', 'fresh');
  assert.deepEqual(await seen.until('env-created'), ['env-created fresh']);
  await calve.ok('commit', 'work', '-m', 'more');
  assert.deepEqual(await seen.until('env-changed'), ['ref base:latest commit', 'env-changed work']);

  await store.envs.reset('idle', 'base');
  assert.deepEqual(await seen.until('trash-added'), ['env-changed idle', 'trash-added idle']);
  await store.envs.remove('fresh');
  assert.deepEqual(await seen.until('trash-added'), ['env-removed fresh', 'trash-added fresh']);
  await store.trash.restore('fresh');
  assert.deepEqual(await seen.until('trash-removed'), ['env-created fresh', 'trash-removed fresh']);
  await store.gc({ graceDays: 0 });
  assert.deepEqual(await seen.until('gc'), ['gc 3 0']);
});

test('no move of a ref is missed, and they come in their order, however many come at once', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  await fillStore(store, scene.rawDisk);
  await using seen = await watching(store);
  const [before] = await store.refs.history();
  const other = await openStore(store.folder, { create: false });
  const both = [store, other].map(async (each, at) => {
    for (let nth = 0; nth < 15; nth++)
      await each.refs.set(`ref-${at}-${nth % 4}`, nth % 2 ? 'base' : 'base@{0}');
    await each.refs.remove(`ref-${at}-0`);
  });
  await Promise.all(both);
  await store.refs.set('last', 'base');
  const told: string[] = [];
  while (told.at(-1) !== 'ref last:latest tag') told.push(...(await seen.until('ref')));
  const moves = (await store.refs.history()).toReversed();
  const since = moves.findIndex((move) => move.id === before?.id) + 1;
  assert.deepEqual(
    told,
    moves.slice(since).map((move) => `ref ${move.ref} ${move.command}`),
  );

  // Whoever was away catches up.
  const ids: string[] = [];
  for await (const event of other.events({ since: before?.id })) {
    if (event.kind === 'ref') ids.push(event.move.id);
    if (ids.length === moves.length - since) break;
  }
  assert.deepEqual(
    ids,
    moves.slice(since).map((move) => move.id),
  );
  await refused(other.events({ since: 'nothing' }).next(), 'not-found', /no move nothing/);
});

test('an abort ends the events, and nothing is watched any more', async () => {
  await using scene = await storeScene();
  const watches = () => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
  const seen = await watching(scene.store);
  assert.equal(watches(), 5);
  const next = seen.events.next();
  seen.abort.abort();
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.deepEqual(await Array.fromAsync(scene.store.events({ signal: AbortSignal.abort() })), []);
  const left = await watching(scene.store);
  await left.events.return(undefined);
  // A watch is given back when the loop has come round.
  for (let tries = 0; watches() > 0 && tries < 200; tries++) await setTimeout(10);
  assert.equal(watches(), 0);
});

test('a log that was cut is told, for moves may have been missed', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await fillStore(store, scene.rawDisk);
  await using seen = await watching(store);
  await truncate(context.layout.refLog, 0);
  await refused(seen.events.next(), 'changed', /a log is shorter/);
});
