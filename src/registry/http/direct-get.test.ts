import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { limitsOf } from '../options.ts';
import type { HttpResponse } from './message.ts';
import { Transport } from './transport.ts';

const PLAIN = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n';

/** What a server says on each connection, the last of it again and again, in the pieces given, and then closes it. */
async function answering(said: readonly (readonly string[])[]) {
  const heard: string[] = [];
  const answer = async (socket: Socket): Promise<void> => {
    socket.on('error', () => {});
    const pieces = said[Math.min(heard.length, said.length - 1)] ?? [];
    const [request] = await once(socket, 'data');
    heard.push(String(request));
    for (const piece of pieces) {
      socket.write(piece, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
  };
  const server = createServer({ noDelay: true }, (socket) => void answer(socket).catch(() => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const transport = new Transport({ limits: limitsOf({}), caFile: undefined, env: {} });
  const { port } = server.address() as AddressInfo;
  return {
    heard,
    ask(headers: Record<string, string> = {}): Promise<HttpResponse> {
      const url = new URL(`http://127.0.0.1:${port}/v2/a%20b?c=d`);
      return transport.send({ method: 'GET', url, headers, expectsMuch: true });
    },
    async [Symbol.asyncDispose]() {
      await transport.close();
      server.close();
    },
  };
}

test('a body comes whole, however its head is cut, and nothing behind it is taken', async () => {
  for (const pieces of [
    [`${PLAIN}0123456789`],
    [`${PLAIN}01234`, '56789, and more'],
    [...PLAIN, '0123456789'],
  ]) {
    await using server = await answering([pieces]);
    const response = await server.ask({ range: 'bytes=0-9' });
    assert.equal(response.status, 200);
    assert.equal(String(await response.body.bytes(10, 'it')), '0123456789');
    const [asked = ''] = server.heard;
    assert.match(
      asked,
      /^GET \/v2\/a%20b\?c=d HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nconnection: close\r\n/,
    );
    assert.match(asked, /\r\nrange: bytes=0-9\r\n\r\n$/);
    assert.equal(server.heard.length, 1);
  }
});

test('what has another form is asked for once more, as usual', async () => {
  const longHead = `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`;
  for (const first of [CHUNKED, 'HTTP/1.1 100 Continue\r\n\r\n', longHead]) {
    await using server = await answering([[first], [CHUNKED]]);
    const response = await server.ask();
    assert.equal(String(await response.body.bytes(10, 'it')), '0123456789');
    assert.equal(server.heard.length, 2);
  }
});

test('a header that could be more than one is not sent', async () => {
  await using server = await answering([[CHUNKED]]);
  await assert.rejects(
    server.ask({ authorization: 'Bearer x\r\nx: y' }),
    /ERR_INVALID_CHAR|Invalid character/,
  );
  assert.deepEqual(server.heard, []);
});

test('an end ahead of the head, and ahead of the body’s end, may go away', async () => {
  await using none = await answering([['HTTP/1.1 200 OK\r\n']]);
  assert.equal((await refused(none.ask(), 'io', /closed before an answer/)).data['temporary'], true);
  await using short = await answering([[`${PLAIN}0123`]]);
  const response = await short.ask();
  const error = await refused(response.body.bytes(10, 'it'), 'io', /closed 6 bytes before the end/);
  assert.equal(error.data['temporary'], true);
});
