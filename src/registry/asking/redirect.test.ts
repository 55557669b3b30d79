import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../../errors/index.ts';
import { isRedirect, locationOf } from './redirect.ts';

function locationFrom(url: string, location: string, plainHttp = false): string {
  const response = { headers: { location }, url: new URL(url) };
  return locationOf(response, 'r.example/x', plainHttp).href;
}

test('a location is relative or absolute, and its query stays as it is', () => {
  const from = 'https://r.example/v2/x/blobs/uploads/';
  assert.equal(
    locationFrom(from, '/v2/x/blobs/uploads/1?s=a%2Fb+c'),
    'https://r.example/v2/x/blobs/uploads/1?s=a%2Fb+c',
  );
  assert.equal(locationFrom(from, '1?s=x'), 'https://r.example/v2/x/blobs/uploads/1?s=x');
  assert.equal(locationFrom(from, 'https://u:p@s3.example/y#z'), 'https://s3.example/y');
});

test('what was asked for in TLS is not gone on with in plain text', () => {
  assert.throws(
    () => locationFrom('https://r.example/v2/', 'http://s3.example/y'),
    (error) => CalveError.is(error, 'invalid') && /plain HTTP, which is refused/.test(error.message),
  );
  assert.equal(locationFrom('https://r.example/v2/', 'http://localhost:1/y'), 'http://localhost:1/y');
  assert.equal(locationFrom('https://r.example/v2/', 'http://s3.example/y', true), 'http://s3.example/y');
  // It does not know that somebody before it speaks TLS.
  assert.equal(locationFrom('https://r.example/v2/', 'http://r.example/y'), 'https://r.example/y');
  assert.equal(
    locationFrom('https://r.example:8443/v2/', 'http://r.example:8443/y'),
    'https://r.example:8443/y',
  );
  assert.equal(locationFrom('https://r.example:8443/v2/', 'http://r.example/y'), 'https://r.example:8443/y');
});

test('what writes is sent elsewhere by 307 and 308 alone', () => {
  const statuses = [200, 300, 301, 302, 303, 304, 307, 308];
  assert.deepEqual(
    statuses.filter((status) => isRedirect(status, 'GET')),
    [301, 302, 303, 307, 308],
  );
  assert.deepEqual(
    statuses.filter((status) => isRedirect(status, 'PUT')),
    [307, 308],
  );
});
