import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { digestOf, digestOfHex, hexOf, isDigest, shortDigest } from './digest.ts';

test('the digest of the empty document is the one that image-spec gives', () => {
  const digest = digestOf('{}');
  assert.equal(digest, 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  assert.equal(shortDigest(digest), '44136fa355b3');
  assert.equal(digestOfHex(hexOf(digest)), digest);
});

test('a digest has the algorithm and 64 lower-case hex digits', () => {
  const hex = 'a'.repeat(64);
  assert.ok(isDigest(`sha256:${hex}`));
  for (const text of [
    hex,
    `sha256:${hex}0`,
    `sha256:${hex.toUpperCase()}`,
    `sha512:${hex}`,
    '',
    `sha256:${hex}\n`,
  ]) {
    assert.ok(!isDigest(text), text);
  }
  assert.throws(
    () => digestOfHex('../../etc/passwd'),
    (error) => CalveError.is(error, 'invalid'),
  );
});
