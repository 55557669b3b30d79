import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { canonicalJson } from './canonical-json.ts';

test('keys are sorted at every depth, without white space, and undefined members are left out', () => {
  const value = { b: [1, { d: null, c: 'ü"\n' }], a: true, gone: undefined, B: 0 };
  assert.equal(canonicalJson(value), '{"B":0,"a":true,"b":[1,{"c":"ü\\"\\n","d":null}]}');
});

test('the order in which members were written does not show', () => {
  assert.equal(canonicalJson({ a: 1, b: 2 }), canonicalJson({ b: 2, a: 1 }));
});

test('what has no one spelling is refused', () => {
  for (const value of [1.5, 2 ** 53, Number.NaN, 1n, undefined, () => {}, [undefined]]) {
    assert.throws(
      () => canonicalJson(value),
      (error) => CalveError.is(error, 'invalid'),
    );
  }
});
