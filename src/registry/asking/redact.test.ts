import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact } from './redact.ts';
import { retryAfter } from './retry-after.ts';

test('what a registry says is shown without secrets, on one line, and not endless', () => {
  assert.equal(redact('no \u001b[31mred\r\n  text\u202e here', []), 'no [31mred text here');
  assert.equal(
    redact('token abc and abc, not Bearer def', ['abc', 'def', '']),
    'token *** and ***, not Bearer ***',
  );
  assert.equal(
    redact('see https://s3.example/blob?X-Amz-Signature=1&x=2 there', []),
    'see https://s3.example/blob?*** there',
  );
  assert.equal(redact('x'.repeat(1000), []).length, 301);
});

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  assert.equal(retryAfter('120', now), 120_000);
  assert.equal(retryAfter('Thu, 01 Jan 2026 00:00:30 GMT', now), 30_000);
  assert.equal(retryAfter('Wed, 31 Dec 2025 00:00:00 GMT', now), 0);
  assert.equal(retryAfter('soon', now), undefined);
  assert.equal(retryAfter(undefined, now), undefined);
});
