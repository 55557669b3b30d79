import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextPage } from './link-header.ts';

test('the next page is the target of the link that says so', () => {
  assert.equal(nextPage('</v2/x/tags/list?n=2&last=b>; rel="next"'), '/v2/x/tags/list?n=2&last=b');
  assert.equal(nextPage('<a,b>; rel=prev, <c;d>; title="x"; rel="last NEXT"'), 'c;d');
  assert.equal(nextPage('<a>; rel="nextish"'), undefined);
  assert.equal(nextPage('a; rel=next'), undefined);
  assert.equal(nextPage(''), undefined);
});
