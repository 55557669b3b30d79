import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph } from './graph.ts';

function drawn(...versions: [digest: string, ...parents: string[]][]): string[] {
  const graph = new Graph();
  return versions.flatMap(([digest, ...parents]) => {
    const rows = graph.place(digest, parents);
    return [...rows.above, `${rows.first} ${digest}`, ...rows.below];
  });
}

test('a straight history is one line', () => {
  assert.deepEqual(drawn(['c', 'b'], ['b', 'a'], ['a']), ['* c', '* b', '* a']);
});

test('two children run beside each other and meet in their parent', () => {
  assert.deepEqual(drawn(['x', 'p'], ['y', 'p'], ['p', 'r'], ['r']), ['* x', '| * y', '|/', '* p', '* r']);
});

test('a line that meets one further left passes those between', () => {
  assert.deepEqual(drawn(['x', 'p'], ['q', 'z'], ['y', 'p'], ['p'], ['z']), [
    '* x',
    '| * q',
    '| | * y',
    '| |/',
    '|/|',
    '* | p',
    ' /',
    '* z',
  ]);
});

test('a root ends its line and those further right move up', () => {
  assert.deepEqual(drawn(['a'], ['b']), ['* a', '* b']);
  assert.deepEqual(drawn(['a', 'r'], ['b', 's'], ['r'], ['s']), ['* a', '| * b', '* | r', ' /', '* s']);
});

test('a version of two parents forks', () => {
  assert.deepEqual(drawn(['m', 'a', 'b'], ['a', 'r'], ['b', 'r'], ['r']), [
    '* m',
    '|\\',
    '* | a',
    '| * b',
    '|/',
    '* r',
  ]);
});

test('further lines of a version go on as its line does', () => {
  const graph = new Graph();
  graph.place('x', ['p']);
  assert.equal(graph.place('y', ['p']).more, '| |');
  assert.equal(graph.place('p', []).more, ' ');
});
