import assert from 'node:assert/strict';
import { linkSync, statSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { type TemporaryFolder, temporaryFolder } from '../../../test/support/temporary.ts';
import { MemoryDisk } from '../../disk/index.ts';
import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { openNbd } from '../client/open-nbd.ts';
import { fixedExports } from '../server/nbd-export.ts';
import { NbdServer } from '../server/nbd-server.ts';
import { activatedSockets } from './activated-sockets.ts';
import { listenUnix } from './listen-unix.ts';

const refusedAs = (code: ErrorCode) => (error: unknown) => CalveError.is(error, code);

/** A server of a disk of so many bytes. */
function serverOf(size: number): NbdServer {
  const open = async () => new MemoryDisk(size);
  return new NbdServer({ exports: fixedExports([{ name: '', description: '', readOnly: true, open }]) });
}

async function sizeAt(path: string): Promise<number> {
  await using disk = await openNbd({ socket: { path }, exportName: '' });
  return disk.size;
}

/** A socket on which nobody listens: what a killed server leaves behind. */
async function staleSocket(folder: TemporaryFolder): Promise<string> {
  const [first, path] = [folder.join('first'), folder.join('socket')];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(first, resolve));
  linkSync(first, path);
  await new Promise((resolve) => server.close(resolve));
  assert.ok(statSync(path).isSocket());
  return path;
}

test('its owner alone may connect, and the socket goes with the server', async () => {
  await using folder = await temporaryFolder();
  const path = folder.join('socket');
  const before = process.umask();
  {
    await using server = serverOf(4096);
    await listenUnix(server, path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(process.umask(), before);
    assert.equal(await sizeAt(path), 4096);
  }
  assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
});

test('a stale socket is replaced, one of a living server is not, nor is a file', async () => {
  await using folder = await temporaryFolder();
  const path = await staleSocket(folder);
  await using server = serverOf(4096);
  await listenUnix(server, path);
  await using other = serverOf(8192);
  await assert.rejects(listenUnix(other, path), refusedAs('in-use'));
  assert.equal(await sizeAt(path), 4096);

  const file = folder.join('file');
  await writeFile(file, 'precious');
  await assert.rejects(listenUnix(other, file), refusedAs('exists'));
  await assert.rejects(listenUnix(other, folder.join('none', 'socket')), refusedAs('not-found'));
  await assert.rejects(listenUnix(other, folder.join('x'.repeat(100))), refusedAs('usage'));
});

test('of several that replace a stale socket at one time, one listens', async () => {
  await using folder = await temporaryFolder();
  const path = await staleSocket(folder);
  const servers = [4096, 8192, 12288, 16384].map(serverOf);
  await using _all = {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
  };
  const listened = await Promise.allSettled(servers.map((server) => listenUnix(server, path)));
  const won = listened.findIndex(({ status }) => status === 'fulfilled');
  assert.equal(listened.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.equal(await sizeAt(path), 4096 * (won + 1));
  assert.deepEqual(await readdir(folder.path), ['socket']);
});

test('sockets are taken over that were passed to this very process', () => {
  const mine = { LISTEN_PID: String(process.pid), LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:b' };
  assert.deepEqual(activatedSockets(mine), [3, 4]);
  assert.deepEqual(mine, {});
  assert.deepEqual(activatedSockets({ LISTEN_PID: '1', LISTEN_FDS: '2' }), []);
  assert.deepEqual(activatedSockets({}), []);
  for (const fds of ['0', '-1', 'many', '65']) {
    const wrong = { LISTEN_PID: String(process.pid), LISTEN_FDS: fds };
    assert.throws(() => activatedSockets(wrong), refusedAs('usage'), fds);
  }
});
