import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import {
  Command,
  MAGIC,
  OPTION_MAGIC,
  Option,
  OptionReply,
  TransmissionFlag,
} from '../../src/nbd/protocol/numbers.ts';
import {
  contextReply,
  exportInfo,
  optionHeader,
  optionReplyHeader,
} from '../../src/nbd/protocol/option-data.ts';
import type { ReplyMode } from '../../src/nbd/protocol/reply-format.ts';
import { decodeRequest, emptyRequest, type ReceivedRequest } from '../../src/nbd/protocol/request.ts';
import { SocketReader } from '../../src/nbd/server/socket-reader.ts';

/** The size of every disk that it pretends to have. */
export const FAKE_SIZE: number = 1 << 20;

/** A client, from the side of a server that says whatever a test wants it to say. */
export class FakePeer {
  readonly socket: Socket;
  readonly #reader: SocketReader;
  #mode: ReplyMode = 'simple';

  constructor(socket: Socket) {
    this.socket = socket;
    this.#reader = new SocketReader(socket);
  }

  /** Sends numbers as big-endian fields, `[value, bytes]`, or bytes as they are. */
  send(...parts: readonly (readonly [value: number | bigint, bytes: 2 | 4 | 8] | Uint8Array)[]): void {
    const fields = parts.map((part) => {
      if (part instanceof Uint8Array) return part;
      const field = Buffer.alloc(8);
      field.writeBigUInt64BE(BigInt(part[0]));
      return field.subarray(8 - part[1]);
    });
    this.socket.write(Buffer.concat(fields));
  }

  /** Greets as a fixed newstyle server does, and takes the client's flags. */
  async greet(): Promise<void> {
    this.send([MAGIC, 8], [OPTION_MAGIC, 8], [3, 2]);
    await this.#reader.read(4);
  }

  /** The next option that the client asks for. */
  async option(): Promise<{ readonly option: number; readonly data: Buffer }> {
    const { option, length } = optionHeader.decode(await this.#reader.read(16));
    return { option, data: await this.#reader.read(length) };
  }

  reply(option: number, reply: number, data: Uint8Array = new Uint8Array()): void {
    this.send(optionReplyHeader.encode({ option, reply, length: data.length }), data);
  }

  /** A whole handshake, well-behaved: of a disk of zeros with one context, 7. */
  async handshake(
    mode: ReplyMode,
    { size = FAKE_SIZE, flags = 0 }: { readonly size?: number; readonly flags?: number } = {},
  ): Promise<void> {
    this.#mode = mode;
    await this.greet();
    for (;;) {
      const { option } = await this.option();
      const accepts =
        option === Option.go ||
        (option === Option.extendedHeaders && mode === 'extended') ||
        (option === Option.structuredReply && mode === 'structured') ||
        option === Option.setMetaContext;
      if (option === Option.setMetaContext) {
        this.reply(option, OptionReply.metaContext, contextReply.encode({ id: 7, name: 'base:allocation' }));
      } else if (option === Option.go) {
        const info = exportInfo.encode({ size: BigInt(size), flags: TransmissionFlag.hasFlags | flags });
        this.reply(option, OptionReply.info, info);
      }
      this.reply(option, accepts ? OptionReply.ack : OptionReply.errorUnsupported);
      if (option === Option.go) return;
    }
  }

  async request(): Promise<ReceivedRequest> {
    const request = emptyRequest();
    const isExtended = this.#mode === 'extended';
    if (!decodeRequest(await this.#reader.read(isExtended ? 32 : 28), 0, isExtended, request)) {
      throw new Error('the client sent no request');
    }
    if (request.command === Command.disconnect) this.socket.end();
    return request;
  }

  /** Bytes that follow a request. */
  take(length: number): Promise<Buffer> {
    return this.#reader.read(length);
  }
}

/** A server on a unix socket that plays a part for each client that comes. */
export async function fakeNbdServer(
  path: string,
  play: (peer: FakePeer, index: number) => Promise<void>,
): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    // A client that has had enough hangs up: that is what the tests are about.
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    play(new FakePeer(socket), count++).catch(() => socket.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
