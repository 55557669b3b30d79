import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { test } from 'node:test';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { QuickSocket } from '../../host/index.ts';
import { RequestWatch } from './request-watch.ts';

test('what comes is found, and nobody looks out for long where nothing comes', async () => {
  await using folder = await temporaryFolder();
  const server = createServer({ pauseOnConnect: true }).listen(folder.join('s'));
  const client = connect(folder.join('s'));
  const [socket] = await once(server, 'connection');
  const quick = QuickSocket.of(socket);
  assert.ok(quick);
  const watch = new RequestWatch(quick);
  client.write('next');
  let found: Buffer | undefined;
  for (let looks = 0; looks < 1000 && found === undefined; looks += 1) {
    found = watch.next();
    await new Promise(setImmediate);
  }
  assert.equal(String(found), 'next');
  const before = process.cpuUsage();
  for (let looks = 0; looks < 2000; looks += 1) assert.equal(watch.next(), undefined);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 50_000, `${user + system} microseconds: expected a dozen moments of 50`);
  client.destroy();
  socket.destroy();
  server.close();
});
