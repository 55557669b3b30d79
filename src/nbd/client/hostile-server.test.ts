import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { FAKE_SIZE, type FakePeer, fakeNbdServer } from '../../../test/support/fake-nbd-server.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { ErrorCode } from '../../errors/index.ts';
import { MAGIC, OPTION_MAGIC, Option, OptionReply, TransmissionFlag } from '../protocol/numbers.ts';
import { exportInfo } from '../protocol/option-data.ts';
import type { ReplyMode } from '../protocol/reply-format.ts';
import type { Request } from '../protocol/request.ts';
import { listNbd } from './list-nbd.ts';
import { openNbd } from './open-nbd.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let sockets = 0;

/** A fresh path for a socket, and its URI. */
function fresh(): { readonly path: string; readonly uri: string } {
  const path = folder.join(`s${sockets++}`);
  return { path, uri: `nbd+unix:///x?socket=${path}` };
}

const SIMPLE = 0x67446698;
const STRUCTURED = 0x668e33ef;
const EXTENDED = 0x6e8a278c;
const DONE = 1;

/** The head of a chunk that answers `request`. */
function chunk(peer: FakePeer, request: Request, type: number, length: number, flags = DONE): void {
  peer.send(
    [STRUCTURED, 4],
    [flags, 2],
    [type, 2],
    [request.cookieHigh, 4],
    [request.cookieLow, 4],
    [length, 4],
  );
}

function data(peer: FakePeer, request: Request, offset: number, length: number, flags = DONE): void {
  chunk(peer, request, 1, 8 + length, flags);
  peer.send([offset, 8], Buffer.alloc(length, 1));
}

/** Replies to a read of 4096 bytes at 8192 that break the protocol. */
const NONSENSE: readonly [
  what: string,
  mode: ReplyMode,
  (peer: FakePeer, request: Request) => void,
  RegExp,
][] = [
  [
    'another magic number',
    'simple',
    (peer) => peer.send(Buffer.alloc(64, 7)),
    /no simple reply begins with 0x7070707/,
  ],
  [
    'a chunk where simple replies were agreed on',
    'simple',
    (peer, r) => data(peer, r, r.offset, 4096),
    /no simple reply/,
  ],
  ['a reply to nobody', 'simple', (peer) => peer.send([SIMPLE, 4], [0, 4], [0, 4], [9999, 4]), /not made/],
  [
    'the high half of a cookie',
    'simple',
    (peer, r) => peer.send([SIMPLE, 4], [0, 4], [1, 4], [r.cookieLow, 4]),
    /not made/,
  ],
  [
    'a simple reply to a read',
    'structured',
    (peer, r) => peer.send([SIMPLE, 4], [0, 4], [0, 4], [r.cookieLow, 4]),
    /a simple reply to a read/,
  ],
  [
    'data ahead of the range',
    'structured',
    (peer, r) => data(peer, r, r.offset - 1, 100),
    /100 bytes at 8191 for a read/,
  ],
  [
    'data past the range',
    'structured',
    (peer, r) => data(peer, r, r.offset + 4000, 100),
    /100 bytes at 12192/,
  ],
  ['data far away', 'structured', (peer, r) => data(peer, r, 2 ** 53 - 1, 100), /100 bytes at/],
  [
    'data longer than the range',
    'structured',
    (peer, r) => chunk(peer, r, 1, 8 + 4097) ?? peer.send([r.offset, 8]),
    /4097 bytes/,
  ],
  [
    'data of gigabytes',
    'structured',
    (peer, r) => chunk(peer, r, 1, 0xffff_ffff) ?? peer.send([r.offset, 8]),
    /4294967287 bytes/,
  ],
  ['data of no bytes', 'structured', (peer, r) => chunk(peer, r, 1, 8), /type 1 and 8 bytes/],
  [
    'the same data twice',
    'structured',
    (peer, r) => {
      data(peer, r, r.offset, 100, 0);
      data(peer, r, r.offset + 99, 100, 0);
    },
    /twice/,
  ],
  [
    'a hole over data',
    'structured',
    (peer, r) => {
      data(peer, r, r.offset, 100, 0);
      chunk(peer, r, 2, 12);
      peer.send([r.offset, 8], [4096, 4]);
    },
    /twice/,
  ],
  [
    'a hole past the range',
    'structured',
    (peer, r) => {
      chunk(peer, r, 2, 12);
      peer.send([r.offset, 8], [0xffff_ffff, 4]);
    },
    /4294967295 bytes at 8192/,
  ],
  [
    'a hole of no bytes',
    'structured',
    (peer, r) => {
      chunk(peer, r, 2, 12);
      peer.send([r.offset, 8], [0, 4]);
    },
    /0 bytes/,
  ],
  ['an end with data missing', 'structured', (peer, r) => data(peer, r, r.offset, 4095), /ends without data/],
  ['an end without any', 'structured', (peer, r) => chunk(peer, r, 0, 0), /ends without data/],
  ['no end', 'structured', (peer, r) => chunk(peer, r, 0, 0, 0), /type 0 and 0 bytes/],
  ['an unknown chunk', 'structured', (peer, r) => chunk(peer, r, 99, 4), /type 99/],
  ['a block status', 'structured', (peer, r) => chunk(peer, r, 5, 12), /type 5/],
  ['an error of megabytes', 'structured', (peer, r) => chunk(peer, r, 0x8001, 1 << 20), /type 32769/],
  [
    'an error that is none',
    'structured',
    (peer, r) => {
      chunk(peer, r, 0x8001, 6);
      peer.send([0, 4], [0, 2]);
    },
    /none/,
  ],
  [
    'an error with its message cut',
    'structured',
    (peer, r) => {
      chunk(peer, r, 0x8001, 6);
      peer.send([5, 4], [1, 2]);
    },
    /shorter/,
  ],
  [
    'an error outside of the range',
    'structured',
    (peer, r) => {
      chunk(peer, r, 0x8002, 14);
      peer.send([5, 4], [0, 2], [1, 8]);
    },
    /outside/,
  ],
  [
    'a short head where long ones were agreed on',
    'extended',
    (peer, r) => data(peer, r, r.offset, 4096),
    /no extended reply/,
  ],
  [
    'an offset that is not the request’s',
    'extended',
    (peer, r) => peer.send([EXTENDED, 4], [DONE, 2], [0, 2], [0, 4], [r.cookieLow, 4], [0, 8], [0, 8]),
    /about offset 0/,
  ],
  [
    'a second reply',
    'simple',
    (peer, r) => {
      for (let time = 0; time < 2; time++) peer.send([SIMPLE, 4], [5, 4], [0, 4], [r.cookieLow, 4]);
    },
    /./,
  ],
];

describe('a server that breaks the protocol', () => {
  for (const [what, mode, answer, message] of NONSENSE) {
    it(`is left when it sends ${what}`, async () => {
      const { path, uri } = fresh();
      let clients = 0;
      await using _server = await fakeNbdServer(path, async (peer) => {
        clients += 1;
        await peer.handshake(mode);
        answer(peer, await peer.request());
      });
      await using disk = await openNbd(uri);
      const around = Buffer.alloc(3 * 4096, 0xee);
      const failed = disk.read(around.subarray(4096, 8192), 8192);
      await refused(failed, what === 'a second reply' ? 'io' : 'invalid', message);
      // Every later use is told the same, and nobody asks again.
      await refused(disk.read(Buffer.alloc(512), 0), 'invalid');
      assert.equal(clients, 1);
      assert.ok(
        around.every((byte, at) => byte === 0xee || (at >= 4096 && at < 8192)),
        'other bytes were touched',
      );
    });
  }

  const STATUS: readonly [what: string, send: (peer: FakePeer, request: Request) => void][] = [
    [
      'of a context that was not chosen',
      (peer, r) => {
        chunk(peer, r, 5, 12);
        peer.send([8, 4], [4096, 4], [0, 4]);
      },
    ],
    [
      'with an extent of no bytes',
      (peer, r) => {
        chunk(peer, r, 5, 12);
        peer.send([7, 4], [0, 4], [0, 4]);
      },
    ],
    [
      'with no extent',
      (peer, r) => {
        chunk(peer, r, 5, 4);
        peer.send([7, 4]);
      },
    ],
    [
      'of half an extent',
      (peer, r) => {
        chunk(peer, r, 5, 8);
        peer.send([7, 4], [4096, 4]);
      },
    ],
    [
      'twice',
      (peer, r) => {
        for (let time = 0; time < 2; time++) {
          chunk(peer, r, 5, 12, 0);
          peer.send([7, 4], [4096, 4], [0, 4]);
        }
      },
    ],
    ['that is missing', (peer, r) => chunk(peer, r, 0, 0)],
    ['of gigabytes', (peer, r) => chunk(peer, r, 5, 0xffff_fff4)],
    ['as data', (peer, r) => data(peer, r, r.offset, 512)],
  ];
  for (const [what, send] of STATUS) {
    it(`is left when it sends a block status ${what}`, async () => {
      const { path, uri } = fresh();
      await using _server = await fakeNbdServer(path, async (peer) => {
        await peer.handshake('structured');
        send(peer, await peer.request());
      });
      await using disk = await openNbd(uri);
      assert.ok(disk.extents);
      await refused(Array.fromAsync(disk.extents(0, 65_536)), 'invalid', /breaks the protocol/);
    });
  }
});

const info = (size: bigint, flags: number) => exportInfo.encode({ size, flags });

/** Handshakes that do not come to an end. */
const HANDSHAKES: readonly [what: string, (peer: FakePeer) => Promise<void> | void, ErrorCode, RegExp][] = [
  [
    'is none',
    (peer) => peer.send(Buffer.from('220 mail.example ESMTP ready\r\n')),
    'invalid',
    /expected an NBD server/,
  ],
  [
    'is of the old style',
    (peer) => peer.send([MAGIC, 8], [0x420281861253n, 8], [FAKE_SIZE, 8], Buffer.alloc(128)),
    'unsupported',
    /oldstyle/,
  ],
  ['greets strangely', (peer) => peer.send([MAGIC, 8], [1, 8], [3, 2]), 'invalid', /greeting/],
  [
    'replies to what was not asked',
    async (peer) => {
      await peer.greet();
      peer.reply(Option.list, OptionReply.ack);
    },
    'invalid',
    /a reply to option 3/,
  ],
  [
    'sends a reply of megabytes',
    async (peer) => {
      await peer.greet();
      peer.send([0x3e889045565a9n, 8], [Option.extendedHeaders, 4], [1, 4], [1 << 24, 4]);
    },
    'invalid',
    /16777216 bytes of reply/,
  ],
  [
    'floods',
    async (peer) => {
      await peer.greet();
      peer.send(Buffer.alloc(3 << 20));
    },
    'invalid',
    /./,
  ],
  ['tells no size', (peer) => opening(peer, () => {}), 'invalid', /does not tell the size/],
  [
    'tells a size past all reason',
    (peer) => opening(peer, () => peer.reply(Option.go, OptionReply.info, info(2n ** 63n, 1))),
    'invalid',
    /a size of 9223372036854775808/,
  ],
  [
    'tells no flags',
    (peer) => opening(peer, () => peer.reply(Option.go, OptionReply.info, info(4096n, 0))),
    'invalid',
    /flags/,
  ],
  [
    'tells blocks of three bytes',
    (peer) => opening(peer, () => sizes(peer, 3, 4096, 65_536)),
    'invalid',
    /block sizes from 3/,
  ],
  [
    'tells blocks of megabytes',
    (peer) => opening(peer, () => sizes(peer, 1 << 20, 1 << 20, 1 << 24)),
    'invalid',
    /block sizes/,
  ],
  [
    'tells a maximum below the minimum',
    (peer) => opening(peer, () => sizes(peer, 4096, 4096, 512)),
    'invalid',
    /block sizes/,
  ],
  [
    'has a size of half a block',
    (peer) =>
      opening(peer, () => {
        peer.reply(Option.go, OptionReply.info, info(4097n, 1));
        sizes(peer, 4096, 4096, 65_536);
      }),
    'invalid',
    /4097 bytes in blocks of 4096/,
  ],
  [
    'says more than the handshake',
    (peer) => opening(peer, () => peer.reply(Option.go, OptionReply.info, info(4096n, 1)), 8),
    'invalid',
    /8 bytes too many/,
  ],
  [
    'refuses',
    async (peer) => {
      await peer.greet();
      for (;;)
        peer.reply((await peer.option()).option, OptionReply.errorPolicy, Buffer.from('not \u001b[31myou\n'));
    },
    'denied',
    /refuses \(not {2}\[31myou \)/,
  ],
  [
    'has no such export',
    async (peer) => {
      await peer.greet();
      for (;;) peer.reply((await peer.option()).option, OptionReply.errorUnknown);
    },
    'not-found',
    /no such export/,
  ],
  ['hangs up', (peer) => void peer.socket.end(), 'io', /ended the connection/],
  [
    'hangs up in the midst of it',
    async (peer) => {
      await peer.greet();
      peer.socket.destroy();
    },
    'io',
    /ended the connection|ECONNRESET|EPIPE/,
  ],
  ['says nothing', () => {}, 'io', /not ready within 200 ms/],
  ['stops in the midst of it', (peer) => peer.greet(), 'io', /not ready within 200 ms/],
];

/** Plays a handshake up to GO, tells something, and says that all is well. */
async function opening(peer: FakePeer, tell: () => void, more = 0): Promise<void> {
  await peer.greet();
  for (;;) {
    const { option } = await peer.option();
    if (option !== Option.go) {
      peer.reply(option, OptionReply.errorUnsupported);
      continue;
    }
    peer.socket.cork();
    tell();
    peer.reply(option, OptionReply.ack);
    peer.send(Buffer.alloc(more));
    peer.socket.uncork();
    return;
  }
}

function sizes(peer: FakePeer, minimum: number, preferred: number, maximum: number): void {
  const fields = Buffer.alloc(14);
  fields.writeUInt16BE(3, 0);
  fields.writeUInt32BE(minimum, 2);
  fields.writeUInt32BE(preferred, 6);
  fields.writeUInt32BE(maximum, 10);
  peer.reply(Option.go, OptionReply.info, fields);
}

describe('a handshake', () => {
  for (const [what, play, code, message] of HANDSHAKES) {
    it(`fails when the server ${what}`, async () => {
      const { path, uri } = fresh();
      await using _server = await fakeNbdServer(path, async (peer) => play(peer));
      const options = { handshakeMs: what.startsWith('s') ? 200 : 10_000 };
      await refused(openNbd(uri, options), code, message);
    });
  }

  it('fails when there is no server, or nobody listens any more', async () => {
    const { uri } = fresh();
    await refused(openNbd(uri), 'not-found', /cannot connect to nbd\+unix/);
    await refused(listNbd('nbd://127.0.0.1:1/'), 'io', /ECONNREFUSED/);
  });

  it('ends when it is cancelled', async () => {
    const { path, uri } = fresh();
    await using _server = await fakeNbdServer(path, async () => {});
    await refused(openNbd(uri, { signal: AbortSignal.timeout(20) }), 'aborted', /cancelled/);
    await refused(openNbd(uri, { signal: AbortSignal.abort() }), 'aborted', /cancelled/);
  });

  it('takes what old servers offer: no options but the name of the export', async () => {
    const { path, uri } = fresh();
    await using _server = await fakeNbdServer(path, async (peer) => {
      peer.send([MAGIC, 8], [OPTION_MAGIC, 8], [0, 2], Buffer.alloc(0));
      await new Promise((resolve) => setTimeout(resolve, 10));
      peer.send(
        [FAKE_SIZE, 8],
        [TransmissionFlag.hasFlags | TransmissionFlag.readOnly, 2],
        Buffer.alloc(124),
      );
    });
    await using disk = await openNbd(uri);
    assert.equal(disk.size, FAKE_SIZE);
    assert.equal(disk.extents, undefined);
  });
});
