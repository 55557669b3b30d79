import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { after, describe, it } from 'node:test';
import { makeCertificates, revokeClient } from '../../../test/support/certificates.ts';
import { fakeNbdServer } from '../../../test/support/fake-nbd-server.ts';
import { startNbdkit, startQemuNbd } from '../../../test/support/nbd-peers.ts';
import { report, run, succeed } from '../../../test/support/programs.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { MemoryDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import { listNbd } from '../client/list-nbd.ts';
import { openNbd } from '../client/open-nbd.ts';
import { Option, OptionReply } from '../protocol/numbers.ts';
import { optionHeader } from '../protocol/option-data.ts';
import { fixedExports } from '../server/nbd-export.ts';
import { NbdServer } from '../server/nbd-server.ts';
import { type ServerTls, startServerTls } from './server-tls.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const pki = await makeCertificates(folder.join('pki'), 'DNS:localhost,IP:127.0.0.1');
const strangers = await makeCertificates(folder.join('strangers'), 'DNS:localhost,DNS:elsewhere.example');
const keys = folder.join('keys.psk');
const [KEY, OTHER_KEY] = ['5a'.repeat(32), 'a5'.repeat(32)];
await writeFile(keys, `# who may\nbob:${OTHER_KEY}\nalice:${KEY}\n`);
const wrongKeys = folder.join('wrong.psk');
await writeFile(wrongKeys, `alice:${OTHER_KEY}\n`);

const otherNames = folder.join('names.psk');
await writeFile(otherNames, `bob:${KEY}\n`);

const SECRET = 'the name is a secret';

/** Our server, on a TCP port, with one export; tells whether its disk was ever opened. */
async function serve(tls: ServerTls) {
  const opened = { count: 0 };
  const open = async () => {
    opened.count += 1;
    const disk = new MemoryDisk(1 << 20);
    await disk.write(Buffer.alloc(65_536, 7), 65_536);
    return disk;
  };
  const exports = fixedExports([{ name: SECRET, description: 'a secret, too', readOnly: false, open }]);
  const server = new NbdServer({
    exports,
    startTls: await startServerTls(tls),
    limits: { handshakeMs: 3000 },
  });
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(address !== null && typeof address === 'object');
  return { port: address.port, opened, [Symbol.asyncDispose]: () => server.close() };
}

/** Reads and writes, so much that it comes in many records. */
async function use(uri: string): Promise<void> {
  await using disk = await openNbd(uri, { readOnly: false });
  const bytes = Buffer.alloc(700_000, 'no two records of TLS are alike in what they hold ');
  await disk.write(bytes, 1000);
  await disk.flush();
  const found = Buffer.alloc(bytes.length);
  await disk.read(found, 1000);
  assert.ok(found.equals(bytes));
}

const x509 = (port: number, certificates = pki, more = '') =>
  `nbds://localhost:${port}/?tls-certificates=${certificates}${more}`;
const psk = (port: number, user = 'alice', file = keys) =>
  `nbds://${user}@localhost:${port}/?tls-psk-file=${file}`;

describe('our server, encrypted', () => {
  for (const [kind, tls, uriOf, object] of [
    ['certificates', { certificates: pki }, x509, `tls-creds-x509,id=tls,dir=${pki},endpoint=client`],
    [
      'keys',
      { pskFile: keys },
      psk,
      `tls-creds-psk,id=tls,dir=${folder.path},username=alice,endpoint=client`,
    ],
  ] as const) {
    it(`serves by ${kind} who can show some: our client, libnbd and QEMU`, async () => {
      await using server = await serve(tls);
      const uri = uriOf(server.port);
      await use(uri);
      assert.deepEqual(await listNbd(uri), [{ name: SECRET, description: 'a secret, too' }]);
      assert.equal((await succeed('nbdinfo', ['--size', uri])).trim(), `${1 << 20}`);
      const options = `driver=nbd,host=localhost,port=${server.port},tls-creds=tls`;
      const info = await succeed('qemu-img', ['info', '--object', object, '--image-opts', options]);
      assert.match(info, /virtual size: 1 MiB/);
    });

    it(`tells who asks in plain text nothing, where it serves by ${kind}`, async () => {
      await using server = await serve(tls);
      const plain = `nbd://localhost:${server.port}/`;
      const told = await refused(openNbd(plain), 'denied', /encrypted connections only/);
      assert.match(told.hint ?? '', /nbds:/);
      await refused(listNbd(plain), 'denied', /encrypted connections only/);
      const ran = await run('nbdinfo', ['--list', plain]);
      assert.notEqual(ran.code, 0);
      assert.doesNotMatch(report(ran), new RegExp(SECRET));
      assert.equal(server.opened.count, 0);
    });
  }

  it('tells who has no certificate, or a stranger’s, nothing', async () => {
    await using server = await serve({ certificates: pki });
    const nothing = folder.join('nothing');
    await cp(pki, nothing, { recursive: true });
    await Promise.all(['client-cert.pem', 'client-key.pem'].map((name) => rm(`${nothing}/${name}`)));
    const strange = folder.join('strange');
    await cp(strangers, strange, { recursive: true });
    await cp(`${pki}/ca-cert.pem`, `${strange}/ca-cert.pem`);
    for (const certificates of [nothing, strange]) {
      for (const doing of [openNbd, listNbd]) {
        const error: unknown = await doing(x509(server.port, certificates)).catch(
          (reason: unknown) => reason,
        );
        // TLS 1.3 lets a client find out only after it has begun to speak.
        assert.ok(CalveError.is(error, 'denied') || CalveError.is(error, 'io'), String(error));
      }
      assert.notEqual((await run('nbdinfo', ['--list', x509(server.port, certificates)])).code, 0);
    }
    assert.equal(server.opened.count, 0);
    await use(x509(server.port));
  });

  it('tells nothing whose certificate was disowned', async () => {
    const disowned = folder.join('disowned');
    await cp(pki, disowned, { recursive: true });
    await revokeClient(disowned);
    await using server = await serve({ certificates: disowned });
    await assert.rejects(listNbd(x509(server.port)), /TLS|ended the connection|ECONNRESET/);
    assert.equal(server.opened.count, 0);
  });

  it('serves everybody who speaks TLS where clients are not to be verified', async () => {
    await using server = await serve({ certificates: pki, verifyPeer: false });
    const nothing = folder.join('authority');
    await cp(pki, nothing, { recursive: true });
    await Promise.all(['client-cert.pem', 'client-key.pem'].map((name) => rm(`${nothing}/${name}`)));
    await use(x509(server.port, nothing));
  });

  it('tells who has another key, or is unknown, nothing', async () => {
    await using server = await serve({ pskFile: keys });
    for (const uri of [
      psk(server.port, 'alice', wrongKeys),
      psk(server.port, 'bob').replace(keys, otherNames),
    ]) {
      await refused(openNbd(uri), 'denied', /TLS/);
      await refused(listNbd(uri), 'denied', /TLS/);
    }
    await refused(openNbd(x509(server.port)), 'denied', /TLS/);
    assert.equal(server.opened.count, 0);
  });

  it('ends a connection that sends anything between STARTTLS and TLS', async () => {
    await using server = await serve({ certificates: pki });
    const socket = connect(server.port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    const option = (number: number) => Buffer.from(optionHeader.encode({ option: number, length: 0 }));
    socket.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), option(Option.startTls), option(Option.list)]));
    await new Promise((resolve) => socket.once('close', resolve));
    assert.doesNotMatch(Buffer.concat(chunks).toString('latin1'), new RegExp(SECRET));
  });

  it('is refused credentials that are none', async () => {
    await refused(startServerTls({}), 'usage', /either/);
    await refused(startServerTls({ certificates: pki, pskFile: keys }), 'usage', /either/);
    await refused(startServerTls({ certificates: folder.path }), 'not-found', /server-cert\.pem/);
    await refused(startServerTls({ pskFile: folder.join('none') }), 'not-found', /none/);
    const mixed = folder.join('mixed');
    await cp(pki, mixed, { recursive: true });
    await cp(`${strangers}/server-key.pem`, `${mixed}/server-key.pem`);
    await refused(startServerTls({ certificates: mixed }), 'invalid', /mixed: cannot be used for TLS/);
    for (const [index, text] of [
      '',
      '# none\n',
      'alice\n',
      'alice:xyz\n',
      'alice:abc\n',
      'alice:ab\n',
    ].entries()) {
      const path = folder.join(`bad${index}.psk`);
      await writeFile(path, text);
      await refused(startServerTls({ pskFile: path }), 'invalid', /expected/);
    }
  });
});

describe('our client, encrypted', () => {
  const x509Object = ['--object', `tls-creds-x509,id=tls,dir=${pki},endpoint=server,verify-peer=on`];
  const pskObject = ['--object', `tls-creds-psk,id=tls,dir=${folder.path},endpoint=server`];

  it('uses qemu-nbd and nbdkit, by certificates and keys', async () => {
    const image = folder.join('disk.raw');
    await writeFile(image, Buffer.alloc(1 << 20));
    const certificates = `?socket=SOCKET&tls-certificates=${pki}&tls-hostname=localhost`;
    for (const [index, [start, args, uri]] of (
      [
        [
          startQemuNbd,
          [...x509Object, '--tls-creds', 'tls', '-f', 'raw', image],
          `nbds+unix:///${certificates}`,
        ],
        [
          startQemuNbd,
          [...pskObject, '--tls-creds', 'tls', '-f', 'raw', image],
          `nbds+unix://alice@/?socket=SOCKET&tls-psk-file=${keys}`,
        ],
        [
          startNbdkit,
          ['--tls=require', `--tls-certificates=${pki}`, '--tls-verify-peer', 'memory', '1M'],
          `nbds+unix:///${certificates}`,
        ],
        [
          startNbdkit,
          ['--tls=require', `--tls-psk=${keys}`, 'memory', '1M'],
          `nbds+unix://alice@/?socket=SOCKET&tls-psk-file=${keys}`,
        ],
      ] as const
    ).entries()) {
      await using peer = await start(folder.join(`s${index}`), args);
      await use(uri.replace('SOCKET', peer.socket));
      await refused(openNbd(peer.uri()), 'denied', /encrypted connections only/);
    }
  });

  it('leaves a server that it does not know: by its authority, by its name, by what it says', async () => {
    await using server = await serve({ certificates: strangers, verifyPeer: false });
    await refused(openNbd(x509(server.port)), 'denied', /TLS: .*(?:SELF_SIGNED|UNABLE|SIGNATURE)/);
    await refused(openNbd(`nbds://localhost:${server.port}/`), 'denied', /TLS: /);
    await refused(
      openNbd(x509(server.port, strangers).replace('localhost', '127.0.0.1')),
      'denied',
      /ALTNAME/,
    );
    await refused(openNbd(x509(server.port, strangers, '&tls-hostname=other.example')), 'denied', /ALTNAME/);
    await refused(openNbd(psk(server.port)), 'denied', /TLS/);
    await use(x509(server.port, strangers));
    await use(x509(server.port, strangers, '&tls-hostname=elsewhere.example'));
    await use(x509(server.port, pki, '&tls-verify-peer=0'));
  });

  it('asks nothing of a server that does not encrypt', async () => {
    await using peer = await startNbdkit(folder.join('plain'), ['--tls=off', 'memory', '1M']);
    const uri = `nbds+unix:///?socket=${peer.socket}&tls-certificates=${pki}`;
    await refused(openNbd(uri), 'denied', /does not encrypt/);
    await refused(listNbd(uri), 'denied', /does not encrypt/);
  });

  it('takes nothing that came in plain text for encrypted', async () => {
    const path = folder.join('injecting');
    await using _server = await fakeNbdServer(path, async (peer) => {
      await peer.greet();
      await peer.option();
      peer.socket.cork();
      peer.reply(Option.startTls, OptionReply.ack);
      peer.reply(Option.list, OptionReply.ack);
      peer.socket.uncork();
    });
    const uri = `nbds+unix:///?socket=${path}&tls-certificates=${pki}`;
    await refused(listNbd(uri), 'invalid', /data between STARTTLS and TLS/);
  });

  it('says what of its credentials is missing', async () => {
    await using server = await serve({ certificates: pki });
    await refused(openNbd(x509(server.port, folder.path)), 'not-found', /ca-cert\.pem/);
    const noUser = await refused(openNbd(psk(server.port, 'carol')), 'not-found', /no key of the user carol/);
    assert.ok(!`${noUser.message}${noUser.hint}`.includes((await readFile(keys, 'utf8')).slice(20, 30)));
  });
});
