import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { describeAddress, type NbdAddress } from './nbd-address.ts';
import { isNbdUri, parseNbdUri } from './parse-nbd-uri.ts';

const tcp = (host: string, port: number, exportName = ''): NbdAddress => ({
  socket: { host, port },
  exportName,
});
const unix = (path: string, exportName = ''): NbdAddress => ({ socket: { path }, exportName });

const GOOD: readonly [text: string, address: NbdAddress][] = [
  // The table of doc/uri.md.
  ['nbd://example.com:10809/export', tcp('example.com', 10_809, 'export')],
  ['nbd://example.com/disk', tcp('example.com', 10_809, 'disk')],
  ['nbd+unix:///disk?socket=sock', unix('sock', 'disk')],
  ['nbd://example.com/', tcp('example.com', 10_809)],
  ['nbd://example.com', tcp('example.com', 10_809)],
  ['nbd://example.com//disk', tcp('example.com', 10_809, '/disk')],
  ['nbd://example.com/hello%20world', tcp('example.com', 10_809, 'hello world')],
  ['nbd+unix:///?socket=%00/abstract', unix('\0/abstract')],

  ['nbd://', tcp('localhost', 10_809)],
  ['NBD://[2001:db8::1]:7/a/../b', tcp('2001:db8::1', 7, 'a/../b')],
  ['nbd+unix:///debian:12?socket=/run/a+b%3F.sock', unix('/run/a+b?.sock', 'debian:12')],
  ['nbds://h', { ...tcp('h', 10_809), tls: {} }],
  [
    'nbds://alice@h/x?tls-psk-file=/k.psk&tls-type=psk',
    { ...tcp('h', 10_809, 'x'), tls: { pskFile: '/k.psk', username: 'alice' } },
  ],
  [
    'nbds+unix:///?socket=s&tls-certificates=/pki;tls-hostname=h.example&tls-verify-peer=0',
    { ...unix('s'), tls: { certificates: '/pki', hostname: 'h.example', verifyPeer: false } },
  ],
  // QEMU's own form, whose name is not encoded and goes on to the end.
  ['nbd:unix:/run/x.sock', unix('/run/x.sock')],
  ['nbd:unix:/run/x.sock:exportname=a:b=%20', unix('/run/x.sock', 'a:b=%20')],
  ['nbd:localhost:10810', tcp('localhost', 10_810)],
  ['nbd:[::1]:10810:exportname=', tcp('::1', 10_810)],
];

const BAD: readonly [text: string, code: ErrorCode, message: RegExp][] = [
  ['nbd+unix:///x', 'usage', /the parameter socket/],
  ['nbd+unix:///x?socket=', 'usage', /the parameter socket/],
  ['nbd+unix://host/x?socket=s', 'usage', /no host/],
  ['nbd://h/x?socket=s', 'usage', /belongs to nbd\+unix/],
  ['nbd://h:0/', 'usage', /a port from 1 to 65535/],
  ['nbd://h:65536/', 'usage', /a port from 1 to 65535/],
  ['nbd://h:http/', 'usage', /\[USER@\]HOST\[:PORT\]/],
  ['nbd://h/%zz', 'usage', /percent-encoding/],
  ['nbd://h/%ff', 'usage', /percent-encoding/],
  ['nbd://h/a%00b', 'usage', /without NUL/],
  ['nbd+unix:///?socket=a%00b', 'usage', /without NUL/],
  [`nbd+unix:///?socket=/${'x'.repeat(107)}`, 'usage', /at most 107 bytes/],
  [`nbd://h/${'x'.repeat(4097)}`, 'usage', /at most 4096 bytes/],
  ['nbd://h/x#part', 'usage', /expected nbd:\/\//],
  ['nbd://h/?color=red', 'usage', /one of the parameters .*: color$/],
  ['nbd+unix:///?socket=a&socket=b', 'usage', /socket once/],
  ['nbd://h/?tls-certificates=/pki', 'usage', /expected nbds: tls-certificates/],
  ['nbd://alice@h/', 'usage', /expected nbds: a user/],
  ['nbds://h/?tls-verify-peer=yes', 'usage', /0 or 1/],
  ['nbds://h/?tls-type=psk', 'usage', /tls-psk-file/],
  ['nbds://h/?tls-type=x509&tls-psk-file=k', 'usage', /no tls-psk-file/],
  ['nbds://h/?tls-certificates=d&tls-psk-file=k', 'usage', /either/],
  ['nbds://h/?tls-type=rot13', 'usage', /x509 or psk/],
  ['nbds://h/?tls-type=anon', 'unsupported', /without authentication/],
  ['nbd+vsock://2:1/', 'unsupported', /vsock/],
  ['nbd+ssh://h/', 'usage', /not nbd\+ssh/],
  ['nbd:unix', 'usage', /nbd:unix:PATH/],
  ['nbd:host', 'usage', /nbd:unix:PATH/],
  ['nbd:host:99999', 'usage', /a port/],
  ['nbd:unix:', 'usage', /nbd:unix:PATH/],
];

describe('the address of an export', () => {
  for (const [text, address] of GOOD) {
    it(`is understood: ${text}`, () => {
      assert.ok(isNbdUri(text));
      assert.deepEqual(parseNbdUri(text), address);
    });
  }

  for (const [text, code, message] of BAD) {
    it(`is refused: ${text.slice(0, 60)}`, () => {
      assert.ok(isNbdUri(text));
      assert.throws(
        () => parseNbdUri(text),
        (error) => CalveError.is(error, code) && message.test(error.message),
      );
    });
  }

  it('is told from a file, a ref and an environment', () => {
    const others = ['nbd', 'nbd.qcow2', './nbd:x', 'debian:12', 'nbds:latest', 'http://h/', 'file:nbd://h'];
    assert.deepEqual(others.filter(isNbdUri), []);
  });

  it('written for people is understood again, whatever the name', () => {
    const name = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll('\0', '&#?'));
    fc.assert(
      fc.property(name, fc.boolean(), (exportName, isUnix) => {
        const address = isUnix
          ? unix('/run/nbd&sock#+ ?', exportName)
          : tcp('2001:db8::1', 10_810, exportName);
        assert.deepEqual(parseNbdUri(describeAddress(address)), address);
      }),
    );
  });
});
