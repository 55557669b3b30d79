import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChallenges } from './challenge.ts';

function parsed(...headers: string[]): [string, Record<string, string>][] {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
}

test('challenges are found in one header and in several, with their parameters', () => {
  assert.deepEqual(
    parsed('Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push"'),
    [['bearer', { realm: 'https://auth.example/token', service: 'r', scope: 'repository:a/b:pull,push' }]],
  );
  assert.deepEqual(parsed('Basic realm="a, b = \\"c\\"", charset=UTF-8 , BEARER Realm = x'), [
    ['basic', { realm: 'a, b = "c"', charset: 'UTF-8' }],
    ['bearer', { realm: 'x' }],
  ]);
  assert.deepEqual(parsed('Negotiate', 'NTLM TlRMTVNTUAAB==, , Basic realm=x'), [
    ['negotiate', {}],
    ['ntlm', {}],
    ['basic', { realm: 'x' }],
  ]);
  assert.deepEqual(parsed('Bearer realm=1, realm=2'), [['bearer', { realm: '1' }]]);
});

test('what cannot be understood ends its header, and nothing before it', () => {
  assert.deepEqual(parsed('Basic realm=x, "?"', '', ',', '="'), [['basic', { realm: 'x' }]]);
  assert.deepEqual(parsed('Bearer realm="never ends'), [
    ['bearer', {}],
    ['realm', {}],
  ]);
});
