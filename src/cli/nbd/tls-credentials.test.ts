import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { parseSnapshot } from './parse-snapshot.ts';
import { clientTls, serverTls } from './tls-credentials.ts';

const refusedAs = (code: ErrorCode) => (error: unknown) => CalveError.is(error, code);

test("credentials are QEMU's objects, or a folder", () => {
  assert.equal(serverTls({}), undefined);
  assert.deepEqual(serverTls({ tlsCreds: './tls' }), { certificates: './tls', verifyPeer: true });
  const x509 = 'tls-creds-x509,id=tls0,dir=/a,,b,endpoint=server,verify-peer=off';
  assert.deepEqual(serverTls({ object: [x509], tlsCreds: 'tls0' }), {
    certificates: '/a,b',
    verifyPeer: false,
  });
  const psk = 'tls-creds-psk,id=key,dir=/keys,endpoint=server';
  assert.deepEqual(serverTls({ object: [x509, psk], tlsCreds: 'key' }), { pskFile: '/keys/keys.psk' });
  const client = 'tls-creds-psk,id=me,dir=/keys,username=ada';
  assert.deepEqual(clientTls({ object: [client], tlsCreds: 'me' }), {
    pskFile: '/keys/keys.psk',
    username: 'ada',
  });
  const named = clientTls({ tlsCreds: '/tls', tlsHostname: 'example.org' });
  assert.deepEqual(named, { certificates: '/tls', verifyPeer: true, hostname: 'example.org' });
});

test('credentials that do not fit are refused', () => {
  const cases: [object: string, tlsCreds: string, code: ErrorCode][] = [
    ['tls-creds-x509,id=a,dir=/a,endpoint=client', 'a', 'usage'],
    ['tls-creds-x509,id=a,dir=/a,endpoint=server', 'b', 'usage'],
    ['tls-creds-x509,id=a,endpoint=server', 'a', 'usage'],
    ['tls-creds-x509,id=a,dir=/a,endpoint=both', 'a', 'usage'],
    ['tls-creds-x509,id=a,dir=/a,endpoint=server,verify-peer=maybe', 'a', 'usage'],
    ['tls-creds-x509,id=a,dir=/a,colour=red', 'a', 'usage'],
    ['tls-creds-x509,id=a,dir=/a,endpoint=server,priority=NORMAL', 'a', 'unsupported'],
    ['tls-creds-anon,id=a,endpoint=server', 'a', 'unsupported'],
    ['secret,id=a,data=x', 'a', 'unsupported'],
  ];
  for (const [object, tlsCreds, code] of cases) {
    assert.throws(() => serverTls({ object: [object], tlsCreds }), refusedAs(code), object);
  }
});

test("--load-snapshot is qemu-nbd's", () => {
  assert.deepEqual(parseSnapshot('before'), { idOrName: 'before' });
  assert.deepEqual(parseSnapshot('snapshot.id=1,snapshot.name=before'), { id: '1', name: 'before' });
  assert.throws(() => parseSnapshot('snapshot.uuid=1'), refusedAs('usage'));
});
