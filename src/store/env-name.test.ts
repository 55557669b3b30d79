import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { checkEnvName, isEnvName, makeEnvName } from './env-name.ts';

test('a name is a plain file name', () => {
  for (const name of ['a', 'work', 'Web-1.2_x', '9', 'x'.repeat(63)]) assert.equal(checkEnvName(name), name);
  for (const name of ['', '.', '..', '.x', '-x', 'a/b', 'a@b', 'a:b', 'a b', 'x'.repeat(64), 'a\n']) {
    assert.throws(
      () => checkEnvName(name),
      (error) => CalveError.is(error, 'usage'),
      name,
    );
  }
});

test('made-up names are names, and never ones that are taken', () => {
  const taken = new Set<string>();
  for (let count = 0; count < 5000; count++) {
    const name = makeEnvName((each) => taken.has(each));
    assert.ok(isEnvName(name), name);
    assert.ok(!taken.has(name), name);
    taken.add(name);
  }
});

test('a name is found though every friendly one is taken', () => {
  const taken = new Set(['amber-alder']);
  let calls = 0;
  const random = () => (calls++ < 40 ? 0 : (calls % 97) / 97);
  assert.ok(!taken.has(makeEnvName((each) => taken.has(each), random)));
});
