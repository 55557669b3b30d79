import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { QuickSocket } from './quick-socket.ts';

/** Two ends of a connection, of which nobody reads. */
async function connected(): Promise<{ ours: Socket; theirs: Socket } & AsyncDisposable> {
  const folder = await temporaryFolder();
  const server: Server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(folder.join('s'));
  const theirs = connect({ path: folder.join('s'), allowHalfOpen: true });
  const [ours] = await once(server, 'connection');
  assert.ok(ours instanceof Socket);
  return {
    ours,
    theirs,
    async [Symbol.asyncDispose]() {
      ours.destroy();
      theirs.destroy();
      server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Looks until something has come. */
async function received(quick: QuickSocket): Promise<string> {
  const into = Buffer.alloc(100);
  for (;;) {
    const count = quick.tryReceive(into);
    if (count > 0) return into.toString('utf8', 0, count);
    await new Promise(setImmediate);
  }
}

test('bytes are moved at once, in both directions, and the stream goes on with what follows', async () => {
  await using sockets = await connected();
  const { ours, theirs } = sockets;
  const quick = QuickSocket.of(ours);
  assert.ok(quick);
  assert.equal(quick.tryReceive(Buffer.alloc(10)), 0, 'nothing has come yet');
  theirs.write('question');
  assert.equal(await received(quick), 'question');
  assert.equal(quick.trySend(Buffer.from('answer ')), 7);
  ours.write('by the stream');
  let said = '';
  theirs.on('data', (piece) => (said += piece));
  while (said.length < 20) await once(theirs, 'data');
  assert.equal(said, 'answer by the stream');
  theirs.end('bye');
  let bye = '';
  for await (const piece of ours) bye += piece;
  assert.equal(bye, 'bye');
  assert.equal(quick.tryReceive(Buffer.alloc(10)), 0, 'the end is the stream’s to tell');
});

test('what the kernel does not take is left, and nothing overtakes what the stream has', async () => {
  await using sockets = await connected();
  const { ours, theirs } = sockets;
  const quick = QuickSocket.of(ours);
  assert.ok(quick);
  const large = Buffer.alloc(8 * 2 ** 20, 'a');
  const sent = quick.trySend(large);
  assert.ok(sent > 0 && sent < large.length, `${sent} bytes`);
  ours.write(large.subarray(sent));
  assert.equal(quick.trySend(Buffer.from('b')), 0);
  ours.write('c');
  let got = 0;
  let last = '';
  theirs.on('data', (piece: Buffer) => {
    got += piece.length;
    last = String(piece.subarray(-1));
  });
  while (got <= large.length) await once(theirs, 'data');
  assert.deepEqual([got, last], [large.length + 1, 'c']);
  ours.pause();
});

test('neither a closed socket nor another kind of stream is touched', async () => {
  await using sockets = await connected();
  const { ours } = sockets;
  const quick = QuickSocket.of(ours);
  assert.ok(quick);
  assert.equal(QuickSocket.of(new TLSSocket(ours)), undefined);
  ours.destroy();
  assert.equal(quick.trySend(Buffer.from('a')), 0);
  assert.equal(quick.tryReceive(Buffer.alloc(1)), 0);
  assert.equal(QuickSocket.of(ours), undefined);
  assert.equal(QuickSocket.of(Duplex.from([])), undefined);
});

test('a connection that the other side has ended is the stream’s to tell', async () => {
  await using sockets = await connected();
  const { ours, theirs } = sockets;
  const quick = QuickSocket.of(ours);
  assert.ok(quick);
  theirs.destroy();
  await once(theirs, 'close');
  assert.equal(quick.trySend(Buffer.from('a')), 0);
  const failed = once(ours, 'error');
  ours.write('a');
  await failed;
});
