import assert from 'node:assert/strict';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { storeScene } from '../../test/support/store-scene.ts';
import { CalveError } from '../errors/index.ts';
import { digestOf } from '../oci/index.ts';
import { appendRefMove, isLastRefMove, refMoves } from './ref-log.ts';
import type { RefMove } from './types.ts';

const move = (id: string, ref = 'a:latest'): RefMove => ({
  id,
  time: '2026-01-01T00:00:00.000Z',
  ref,
  from: null,
  to: digestOf(id),
  command: 'tag',
});

test('moves come back newest first', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  assert.deepEqual([...refMoves(context)], []);
  for (const id of ['1', '2', '3']) await appendRefMove(context, move(id));
  assert.deepEqual([...refMoves(context)], [move('3'), move('2'), move('1')]);
  assert.ok(isLastRefMove(context, '3'));
  assert.ok(!isLastRefMove(context, '2'));
});

test('a log of many chunks, with long and short and non-ASCII lines, is read whole and from its end', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  const moves = Array.from({ length: 700 }, (_, at) => ({
    ...move(String(at)),
    command: 'ü'.repeat(at % 7 === 0 ? 1000 : at % 50),
  }));
  await writeFile(context.layout.refLog, moves.map((each) => `${JSON.stringify(each)}\n`).join(''));
  assert.deepEqual([...refMoves(context)], moves.toReversed());
  // Lines before the one that was asked for are not even parsed.
  await writeFile(context.layout.refLog, `rubbish\n${await readFile(context.layout.refLog, 'utf8')}`);
  assert.equal(refMoves(context).next().value?.id, '699');
  assert.throws(
    () => [...refMoves(context)],
    (error) => CalveError.is(error, 'corrupt') && /refs\.jsonl at byte 0/.test(error.message),
  );
});

test('a line that a crash tore is not read, and the next move takes its place', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  await appendRefMove(context, move('1'));
  const whole = (await readFile(context.layout.refLog)).length;
  await appendRefMove(context, move('2'));
  const both = (await readFile(context.layout.refLog)).length;
  for (let cut = whole; cut < both; cut += 7) {
    await truncate(context.layout.refLog, cut);
    assert.deepEqual([...refMoves(context)], [move('1')]);
    await appendRefMove(context, move('2'));
    assert.deepEqual([...refMoves(context)], [move('2'), move('1')]);
  }
  await writeFile(context.layout.refLog, '{"torn');
  await appendRefMove(context, move('3'));
  assert.deepEqual([...refMoves(context)], [move('3')]);
});

test('a broken line is told by its place and field', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  await appendRefMove(context, move('1'));
  const { length } = await readFile(context.layout.refLog);
  await appendFile(context.layout.refLog, `${JSON.stringify({ ...move('2'), to: 'sha256:1' })}\n`);
  assert.throws(
    () => [...refMoves(context)],
    (error) => CalveError.is(error, 'corrupt') && error.message.includes(`at byte ${length}: to: `),
  );
});
