import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { FAKE_SIZE, type FakePeer, fakeNbdServer } from '../../../test/support/fake-nbd-server.ts';
import { startNbdkit } from '../../../test/support/nbd-peers.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { Command, TransmissionFlag } from '../protocol/numbers.ts';
import { ReplyFormat } from '../protocol/reply-format.ts';
import type { ReceivedRequest } from '../protocol/request.ts';
import { openNbd } from './open-nbd.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let sockets = 0;

function fresh(): { readonly path: string; readonly uri: string } {
  const path = folder.join(`s${sockets++}`);
  return { path, uri: `nbd:unix:${path}` };
}

const format = new ReplyFormat('structured');
const { sendFlush, canMultiConn } = TransmissionFlag;

/** The answer to a read: each byte tells where it lies. */
function readReply(request: ReceivedRequest): Buffer {
  const { bytes, at } = format.chunk(request, 1, true, 8 + request.length);
  bytes.writeBigUInt64BE(BigInt(request.offset), at);
  for (let index = 0; index < request.length; index++) bytes[at + 8 + index] = (request.offset + index) % 251;
  return bytes;
}

function doneReply(request: ReceivedRequest): Buffer {
  return format.chunk(request, 0, true, 0).bytes;
}

/** Serves reads until the client goes. */
async function serveReads(peer: FakePeer): Promise<void> {
  for (;;) peer.send(readReply(await peer.request()));
}

function assertRead(bytes: Buffer, offset: number): void {
  assert.ok(
    bytes.every((byte, index) => byte === (offset + index) % 251),
    'the bytes are those of the disk',
  );
}

describe('a lost connection', () => {
  it('is made anew for reading, and what was under way is read again', async () => {
    const { path, uri } = fresh();
    let clients = 0;
    await using _server = await fakeNbdServer(path, async (peer, index) => {
      clients += 1;
      await peer.handshake('structured');
      if (index === 2) return serveReads(peer);
      // The first hangs up within the data, the second before anything is answered.
      const reply = readReply(await peer.request());
      if (index === 0) peer.send(reply.subarray(0, 50_000));
      await new Promise((resolve) => setTimeout(resolve, 10));
      peer.socket.destroy();
    });
    await using disk = await openNbd(uri);
    const bytes = Buffer.alloc(300_000);
    await disk.read(bytes, 1024);
    assertRead(bytes, 1024);
    assert.equal(clients, 3);
  });

  it('is made anew when it was lost while nothing was under way', async () => {
    const { path, uri } = fresh();
    const peers: FakePeer[] = [];
    await using _server = await fakeNbdServer(path, async (peer) => {
      peers.push(peer);
      await peer.handshake('structured');
      await serveReads(peer);
    });
    await using disk = await openNbd(uri);
    peers[0]?.socket.destroy();
    while (disk.connections > 0) await new Promise((resolve) => setImmediate(resolve));
    const bytes = Buffer.alloc(512);
    await disk.read(bytes, 512);
    assertRead(bytes, 512);
  });

  it('survives that the server is killed and started again', async () => {
    const { path, uri } = fresh();
    const first = await startNbdkit(path, ['pattern', '16M']);
    await using disk = await openNbd(uri);
    const before = Buffer.alloc(1 << 20);
    await disk.read(before, 4 << 20);
    await first.kill();
    const after = Buffer.alloc(1 << 20);
    const reading = disk.read(after, 4 << 20);
    await using _second = await startNbdkit(path, ['pattern', '16M']);
    await reading;
    assert.ok(after.equals(before));
    await disk.close(); // nbdkit ends when its clients have gone
  });

  it('ends the use of the disk when another disk is found there', async () => {
    const { path, uri } = fresh();
    await using _server = await fakeNbdServer(path, async (peer, index) => {
      await peer.handshake('structured', { size: FAKE_SIZE + index * 512 });
      if (index > 0) return serveReads(peer);
      await peer.request();
      peer.socket.destroy();
    });
    await using disk = await openNbd(uri);
    await refused(
      disk.read(Buffer.alloc(512), 0),
      'io',
      /expected 1048576 bytes .* got 1049088 .* another disk/,
    );
    await refused(disk.read(Buffer.alloc(512), 0), 'io', /another disk/);
  });

  it('is given up after so many tries: of connecting', async () => {
    const { path, uri } = fresh();
    const server = await fakeNbdServer(path, async (peer) => {
      await peer.handshake('structured');
      await peer.request();
      peer.socket.destroy();
    });
    await using disk = await openNbd(uri, { retries: 2 });
    const reading = disk.read(Buffer.alloc(512), 0);
    await server[Symbol.asyncDispose]();
    await refused(reading, 'not-found', /cannot connect/);
  });

  it('is given up after so many tries: of a request that always ends it', async () => {
    const { path, uri } = fresh();
    let clients = 0;
    await using _server = await fakeNbdServer(path, async (peer) => {
      clients += 1;
      await peer.handshake('structured');
      await peer.request();
      peer.socket.destroy();
    });
    await using disk = await openNbd(uri, { retries: 2 });
    await refused(disk.read(Buffer.alloc(512), 0), 'io');
    assert.equal(clients, 3);
  });

  it('is not made anew where no try is allowed', async () => {
    const { path, uri } = fresh();
    await using _server = await fakeNbdServer(path, async (peer) => {
      await peer.handshake('structured');
      await peer.request();
      peer.socket.destroy();
    });
    await using disk = await openNbd(uri, { retries: 0 });
    await refused(disk.read(Buffer.alloc(512), 0), 'io', /ended the connection|ECONNRESET/);
    await refused(disk.read(Buffer.alloc(512), 0), 'io');
  });

  it('ends the use of a disk that is written: what was not flushed may be lost', async () => {
    const { path, uri } = fresh();
    let clients = 0;
    await using _server = await fakeNbdServer(path, async (peer) => {
      clients += 1;
      await peer.handshake('structured', { flags: sendFlush });
      await peer.request();
      peer.socket.destroy();
    });
    const disk = await openNbd(uri, { readOnly: false });
    await refused(disk.write(Buffer.alloc(512), 0), 'io', /ended the connection|ECONNRESET|EPIPE/);
    await refused(disk.flush(), 'io', /since the last flush may not be stored/);
    await refused(disk.read(Buffer.alloc(512), 0), 'io', /since the last flush/);
    await refused(disk.close(), 'io', /since the last flush/);
    assert.equal(clients, 1);
  });
});

describe('a server that stalls', () => {
  it('is left when the use of the disk is cancelled', async () => {
    const { path, uri } = fresh();
    const controller = new AbortController();
    await using _server = await fakeNbdServer(path, async (peer) => {
      await peer.handshake('structured');
      const reply = readReply(await peer.request());
      peer.send(reply.subarray(0, 1000));
      setTimeout(() => controller.abort(), 10);
    });
    await using disk = await openNbd(uri, { signal: controller.signal });
    await refused(disk.read(Buffer.alloc(4096), 0), 'aborted');
    await refused(disk.read(Buffer.alloc(4096), 0), 'aborted');
  });

  it('is not asked for more at a time than the bytes in flight allow', async () => {
    const { path, uri } = fresh();
    const requests: ReceivedRequest[] = [];
    const { promise: stalled, resolve: goOn } = Promise.withResolvers<void>();
    await using _server = await fakeNbdServer(path, async (peer) => {
      await peer.handshake('structured');
      for (;;) {
        const request = await peer.request();
        requests.push(request);
        void stalled.then(() => peer.send(readReply(request)));
      }
    });
    await using disk = await openNbd(uri, { bytesInFlight: 300_000 });
    const bytes = Array.from({ length: 10 }, () => Buffer.alloc(100_000));
    const reads = bytes.map((each, index) => disk.read(each, index * 512));
    while (requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(requests.length, 2); // of 100,352 bytes each, since sectors are read as a whole
    goOn();
    await Promise.all(reads);
    for (const [index, each] of bytes.entries()) assertRead(each, index * 512);
  });
});

describe('several connections', () => {
  it('are made while one is busy, and flushed where they wrote', async () => {
    const { path, uri } = fresh();
    const seen: number[][] = [];
    await using _server = await fakeNbdServer(path, async (peer, index) => {
      await peer.handshake('structured', { flags: sendFlush | canMultiConn });
      const commands: number[] = [];
      seen[index] = commands;
      for (;;) {
        const request = await peer.request();
        commands.push(request.command);
        if (request.command === Command.write) await peer.take(request.length);
        if (request.command === Command.disconnect) return;
        setTimeout(() => peer.send(doneReply(request)), 2);
      }
    });
    const disk = await openNbd(uri, { readOnly: false, connections: 3 });
    assert.equal(disk.connections, 1);
    while (seen.filter((commands) => commands.includes(Command.write)).length < 3) {
      await Promise.all([0, 1, 2, 3, 4, 5].map((block) => disk.write(Buffer.alloc(4096), block * 4096)));
    }
    await disk.flush();
    const flushes = seen.map((commands) => commands.filter((each) => each === Command.flush).length);
    assert.deepEqual(flushes, [1, 1, 1]);
    await disk.flush();
    await disk.close();
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(
      seen.map((commands) => commands.at(-1)),
      [Command.disconnect, Command.disconnect, Command.disconnect],
      'all take leave, and nothing is flushed twice',
    );
    assert.deepEqual(
      seen.map((commands) => commands.filter((each) => each === Command.flush).length),
      [1, 1, 1],
    );
  });

  it('are flushed again where a write was still under way at a flush', async () => {
    const { path, uri } = fresh();
    const commands: number[] = [];
    const written = Promise.withResolvers<void>();
    await using _server = await fakeNbdServer(path, async (peer) => {
      await peer.handshake('structured', { flags: sendFlush });
      for (;;) {
        const request = await peer.request();
        if (request.command === Command.disconnect) return;
        commands.push(request.command);
        if (request.command === Command.write) {
          await peer.take(request.length);
          if (request.offset > 0) void written.promise.then(() => peer.send(doneReply(request)));
          else peer.send(doneReply(request));
        } else {
          peer.send(doneReply(request));
        }
      }
    });
    await using disk = await openNbd(uri, { readOnly: false });
    await disk.write(Buffer.alloc(512), 0);
    const late = disk.write(Buffer.alloc(512), 512);
    await disk.flush();
    written.resolve();
    await late;
    await disk.flush();
    assert.deepEqual(commands, [Command.write, Command.write, Command.flush, Command.flush]);
  });

  it('are not made where the server does not say that it can do with several, nor missed where it hangs up', async () => {
    for (const flags of [0, canMultiConn]) {
      const { path, uri } = fresh();
      let clients = 0;
      await using _server = await fakeNbdServer(path, async (peer, index) => {
        clients += 1;
        if (index > 0) {
          peer.socket.destroy();
          return;
        }
        await peer.handshake('structured', { flags });
        await serveReads(peer);
      });
      await using disk = await openNbd(uri);
      const bytes = Buffer.alloc(FAKE_SIZE);
      for (let round = 0; round < 3; round++) await disk.read(bytes, 0);
      assertRead(bytes, 0);
      assert.equal(clients, flags === 0 ? 1 : 2);
      assert.equal(disk.connections, 1);
    }
  });
});
