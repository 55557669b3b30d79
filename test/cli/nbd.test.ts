import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../src/store/index.ts';
import { sha256File } from '../support/blobs.ts';
import { commandLine, MAIN } from '../support/calve.ts';
import { type Running, report, run, start, succeed } from '../support/programs.ts';
import { noise, readFrom } from '../support/store-scene.ts';
import { temporaryFolder } from '../support/temporary.ts';

const SIZE = 1 << 20;
const folder = await temporaryFolder();
const running = new Set<Running>();
after(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await folder[Symbol.asyncDispose]();
});
const calve = commandLine(folder.join('store'));
const store = await openStore(calve.store);
await writeFile(folder.join('disk.raw'), noise('disk', SIZE));
await store.versions.import(folder.join('disk.raw'), { ref: 'disk:1', compression: 'none' });
let sockets = 0;

/** A server that clients can connect to. */
async function serve(
  ...args: string[]
): Promise<Running & { readonly socket: string; readonly uri: string }> {
  sockets += 1;
  const socket = folder.join(`socket-${sockets}`);
  const server = calve.start(['nbd', '-k', socket, ...args]);
  running.add(server);
  await until(() => server.stdout().includes('\n') || server.child.exitCode !== null);
  assert.equal(server.child.exitCode, null, server.stderr());
  return { ...server, socket, uri: server.stdout().trimEnd() };
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 3000; !(await isTrue()); left -= 1) {
    assert.ok(left > 0, 'it did not come about');
    await sleep(10);
  }
}

async function envState(name: string): Promise<unknown> {
  return (await store.envs.get(name)).state;
}

test('an environment is served until the last client has gone, in use all the while, and keeps what was written', async () => {
  await store.envs.create('disk:1', { name: 'work' });
  const server = await serve('work');
  assert.equal(server.uri, `nbd+unix:///?socket=${server.socket}`);
  assert.equal((await stat(server.socket)).mode & 0o777, 0o600);
  const state = await envState('work');
  assert.ok(JSON.stringify(state).includes(`"pid":${server.pid}`), JSON.stringify(state));
  const refused = await calve.refuses('nbd', '-p', '0', 'work');
  assert.match(refused, /environment work is in use by .*\(pid \d+\)/);
  await succeed('qemu-io', ['-f', 'raw', '-c', 'write -P 5 64k 64k', server.uri]);
  const ran = await server.ended;
  assert.deepEqual([ran.code, existsSync(server.socket)], [0, false], report(ran));
  assert.match(ran.stderr, /^serving work, an environment, for reading and writing, until the last/);
  assert.equal(await envState('work'), 'idle');
  await store.envs.commit('work', { ref: 'disk:2', compression: 'none' });
  const expected = noise('disk', SIZE).fill(5, 65536, 131072);
  assertSame(await readFrom(store.versions.openDisk('disk:2'), 0, SIZE), expected);
});

test('no client changes a version', async () => {
  const path = await store.versions.path('disk:1');
  const before = await stat(path, { bigint: true });
  const server = await serve('-t', '-e', '0', 'disk:1');
  const attempts = [
    await run('qemu-io', ['-f', 'raw', '-c', 'write -P 9 0 4k', server.uri]),
    await run('qemu-io', ['-f', 'raw', '-c', 'discard 0 64k', server.uri]),
    await run('nbdcopy', [folder.join('disk.raw'), server.uri]),
    await run('qemu-system-x86_64', [
      ...['-accel', 'tcg', '-nodefaults', '-display', 'none', '-S'],
      ...['-drive', `file=${server.uri},format=raw,if=virtio`],
    ]),
  ];
  for (const ran of attempts) assert.notEqual(ran.code, 0, report(ran));
  const compared = await succeed('qemu-img', [
    'compare',
    '-f',
    'raw',
    '-F',
    'raw',
    folder.join('disk.raw'),
    server.uri,
  ]);
  assert.match(compared, /identical/);
  server.child.kill('SIGTERM');
  const ran = await server.ended;
  assert.deepEqual([ran.code, existsSync(server.socket)], [0, false], report(ran));
  const now = await stat(path, { bigint: true });
  assert.deepEqual([now.mtimeNs, now.ctimeNs, now.ino], [before.mtimeNs, before.ctimeNs, before.ino]);
  assert.ok(path.endsWith(`/${await sha256File(path)}`));
});

test('kill -9 leaves an environment sound and idle, and its socket to the next server', async () => {
  await store.envs.create('disk:1', { name: 'killed' });
  const first = await serve('-t', 'killed');
  await succeed('qemu-io', ['-f', 'raw', '-c', 'write -P 6 0 256k', '-c', 'flush', first.uri]);
  first.child.kill('SIGKILL');
  await first.ended;
  assert.ok(existsSync(first.socket));
  assert.equal(await envState('killed'), 'idle');
  const checked = await run('qemu-img', ['check', await store.envs.path('killed')]);
  assert.equal(checked.code, 0, report(checked));

  const pidFile = folder.join('pid');
  const forked = ['nbd', '--fork', '--pid-file', pidFile, '-t', '-k', first.socket, 'killed'];
  assert.equal(await calve.ok(...forked), first.uri);
  const pid = Number(await readFile(pidFile, 'utf8'));
  try {
    const again = await calve.run(forked);
    assert.equal(again.code, 1, report(again));
    assert.match(again.stderr, /environment killed is in use by/);
    await succeed('qemu-io', ['-f', 'raw', '-r', '-c', 'read -P 6 0 256k', first.uri]);
  } finally {
    process.kill(pid, 'SIGINT');
  }
  await until(() => !existsSync(pidFile) && !existsSync(first.socket));
});

/** A service manager: makes a listening socket and becomes the program, as sd_listen_fds(3) describes. */
const ACTIVATE = `
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
open(sys.argv[1] + '.ready', 'w').close()
if listener.fileno() != 3: os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
`;

test('sockets that a service manager opened are served', async () => {
  const socket = folder.join('activated');
  const words = [process.execPath, MAIN, 'nbd', '--json', 'disk:1'];
  const server = start('python3', ['-c', ACTIVATE, socket, ...words], { env: { CALVE_STORE: calve.store } });
  running.add(server);
  await until(() => existsSync(`${socket}.ready`));
  const uri = `nbd+unix:///?socket=${socket}`;
  assert.equal(await succeed('nbdinfo', ['--size', uri]), `${SIZE}\n`);
  const ran = await server.ended;
  assert.equal(ran.code, 0, report(ran));
  assert.deepEqual(JSON.parse(ran.stdout), { pid: server.pid, uris: [uri] });
  // It is the service manager's.
  assert.ok(existsSync(socket));
});

test('a whole store is served over TCP and TLS, and listed by who has the key', async () => {
  await mkdir(folder.join('keys'));
  await writeFile(folder.join('keys', 'keys.psk'), `ada:${'0123456789abcdef'.repeat(4)}\n`);
  const psk = (endpoint: string) =>
    `tls-creds-psk,id=key,dir=${folder.join('keys')},endpoint=${endpoint},username=ada`;
  const server = await calve.start([
    'nbd',
    '--store',
    '-t',
    '-p',
    '0',
    '--object',
    psk('server'),
    '--tls-creds',
    'key',
  ]);
  await until(() => server.stdout().includes('\n'));
  const [, port = ''] = /^nbds:\/\/127\.0\.0\.1:(\d+)\/$/m.exec(server.stdout()) ?? [];
  assert.match(await calve.refuses('nbd', '-L', '-p', port), /TLS/i);
  const list = ['nbd', '-L', '-p', port, '--object', psk('client'), '--tls-creds', 'key', '-q'];
  assert.match(await calve.ok(...list), /^disk:1$/m);
  server.child.kill('SIGHUP');
  assert.equal((await server.ended).code, 0);
});

test('what is refused is refused with its reason', async () => {
  const cases: [words: string[], code: number, said: RegExp][] = [
    [[], 2, /nothing was named.*\nhint: .*--store/],
    [['-c', '/dev/nbd0', 'disk:1'], 2, /--connect .*as root\nhint: .*nbd-client -unix SOCKET/],
    [['--fork', '-k', folder.join('none', 'x'), 'disk:1'], 1, /there is no /],
  ];
  for (const [words, code, said] of cases) {
    const ran = await calve.run(['nbd', ...words]);
    assert.deepEqual([ran.code, ran.stdout], [code, ''], report(ran));
    assert.match(ran.stderr, said, report(ran));
  }
});

/** Not `deepEqual`, which takes minutes to show how megabytes differ. */
function assertSame(actual: Buffer, expected: Buffer): void {
  assert.ok(actual.equals(expected), 'the bytes differ');
}
