import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge } from './age.ts';

const now = Date.parse('2026-01-31T12:00:00Z');
const ago = (seconds: number): string => formatAge(new Date(now - seconds * 1000).toISOString(), now);

test("an age is told in docker's words", () => {
  const cases: [number, string][] = [
    [0, 'just now'],
    [-30, 'just now'],
    [1, '1 second ago'],
    [59, '59 seconds ago'],
    [60, 'about a minute ago'],
    [3 * 60 + 59, '3 minutes ago'],
    [3600, 'about an hour ago'],
    [5 * 3600, '5 hours ago'],
    [47 * 3600, '47 hours ago'],
    [3 * 86_400, '3 days ago'],
    [20 * 86_400, '2 weeks ago'],
    [70 * 86_400, '2 months ago'],
    [800 * 86_400, '2 years ago'],
  ];
  for (const [seconds, words] of cases) assert.equal(ago(seconds), words, `${seconds} seconds`);
});

test('a time that is no time is shown as it is', () => {
  assert.equal(formatAge('yesterday', now), 'yesterday');
});
