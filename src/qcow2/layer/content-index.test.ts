import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../test/support/random.ts';
import { ContentIndex } from './content-index.ts';

test('contents are numbered as they come, and the first one of a fingerprint is found', () => {
  const random = seededRandom(7);
  const index = new ContentIndex();
  const first = new Map<number, number>();
  for (let guest = 0; guest < 50_000; guest += 1) {
    // Few values of the low bits: long probe sequences.
    const fingerprint = (Math.floor(random() * 2 ** 16) * 2 ** 16 + (guest % 3)) >>> 0;
    assert.equal(index.find(fingerprint), first.get(fingerprint));
    assert.equal(index.add(fingerprint, guest * 2 ** 21), guest);
    if (!first.has(fingerprint)) first.set(fingerprint, guest);
  }
  for (const [fingerprint, content] of first) {
    assert.equal(index.find(fingerprint), content);
    assert.equal(index.guestOf(content), content * 2 ** 21);
  }
  assert.equal(index.find(5), undefined);
  assert.equal(index.count, 50_000);
});

test('past its limit an index numbers contents and forgets them', () => {
  const index = new ContentIndex(10);
  for (let content = 0; content < 20; content += 1) assert.equal(index.add(content, content), content);
  assert.equal(index.find(9), 9);
  assert.equal(index.find(10), undefined);
  assert.equal(index.count, 20);
});
