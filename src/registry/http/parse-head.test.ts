import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseHead } from './parse-head.ts';

test('a head that says how many bytes follow is read', () => {
  const head = parseHead(
    'HTTP/1.1 401 Unauthorized\r\nContent-Length: 12\r\nX-Empty:\r\nWWW-Authenticate: Bearer realm="a"\r\nwww-authenticate:\tBasic \r\nSet-Cookie: a\r\nSet-Cookie: b',
  );
  assert.equal(head?.status, 401);
  assert.equal(head.length, 12);
  assert.deepEqual(head.challenges, ['Bearer realm="a"', 'Basic']);
  assert.equal(head.headers['x-empty'], '');
  assert.equal(parseHead('HTTP/1.0 200\r\ncontent-length: 0')?.length, 0);
});

test('every other head is left to Node.js', () => {
  const length = 'content-length: 1';
  for (const head of [
    '',
    'HTTP/1.1 200 OK',
    `HTTP/2 200\r\n${length}`,
    `HTTP/1.1 100 Continue\r\n${length}`,
    `HTTP/1.1 204 No Content\r\n${length}`,
    `HTTP/1.1 304 Not Modified\r\n${length}`,
    `HTTP/1.1 20 OK\r\n${length}`,
    `HTTP/1.1 200 O\x01K\r\n${length}`,
    `HTTP/1.1 200 OK\r\n${length}\r\n${length}`,
    `HTTP/1.1 200 OK\r\n${length}\r\nTransfer-Encoding: chunked`,
    'HTTP/1.1 200 OK\r\ncontent-length: +1',
    'HTTP/1.1 200 OK\r\ncontent-length: 1, 1',
    'HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999',
    `HTTP/1.1 200 OK\r\n${length}\r\n folded`,
    `HTTP/1.1 200 OK\r\n${length}\r\nna me: x`,
    `HTTP/1.1 200 OK\r\n${length}\r\nname : x`,
    `HTTP/1.1 200 OK\r\n${length}\r\nname: a\nb`,
    `HTTP/1.1 200 OK\r\n${length}\r\nname: a\0b`,
    `HTTP/1.1 200 OK\n${length}`,
  ]) {
    assert.equal(parseHead(head), undefined, JSON.stringify(head));
  }
});
