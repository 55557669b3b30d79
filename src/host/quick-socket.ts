import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Libc, libcIfAny } from './libc.ts';

/**
 * A connected socket whose bytes are moved here and now, where that needs no waiting: what Node's streams do about each
 * message takes longer than the message does. What cannot be moved so, and every failure, is left to the stream.
 */
export class QuickSocket {
  readonly #socket: Socket;
  readonly #libc: Libc;

  private constructor(socket: Socket, libc: Libc) {
    this.#socket = socket;
    this.#libc = libc;
  }

  /** Undefined for what is no socket of the system's (TLS, say), or where nothing can be called. */
  static of(stream: Duplex): QuickSocket | undefined {
    const libc = libcIfAny();
    if (!libc || !(stream instanceof Socket) || stream.constructor !== Socket) return undefined;
    return descriptorOf(stream) < 0 ? undefined : new QuickSocket(stream, libc);
  }

  /** Sends as much as the kernel takes, behind what the stream still has to write, and returns how many bytes that was. */
  trySend(bytes: Uint8Array): number {
    const fd = descriptorOf(this.#socket);
    if (fd < 0 || this.#socket.writableLength > 0) return 0;
    return Math.max(0, this.#libc.sendNow(fd, bytes));
  }

  /** Fills `into` with what has come, and returns how many bytes that was; 0 also at the end, which the stream will tell. */
  tryReceive(into: Uint8Array): number {
    const fd = descriptorOf(this.#socket);
    if (fd < 0 || this.#socket.readableLength > 0) return 0;
    return Math.max(0, this.#libc.receiveNow(fd, into));
  }
}

/** The socket's descriptor as long as it is open, else -1. Node has it, though not in its documentation. */
function descriptorOf(socket: Socket): number {
  if (socket.destroyed) return -1;
  const { _handle: handle } = socket as { _handle?: { fd?: number } | null };
  return handle?.fd ?? -1;
}
