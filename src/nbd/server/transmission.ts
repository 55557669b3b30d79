// One file, though long: what a connection has under way, what of it waits to be sent, and what is taken from the socket next are one
// state, and every event of the socket or the disk moves all three. What can be told without it lies in files of its own.
import type { Duplex } from 'node:stream';
import type { Disk } from '../../disk/index.ts';
import { QuickSocket } from '../../host/index.ts';
import { Command, CommandFlag, Errno } from '../protocol/numbers.ts';
import type { ReplyFormat } from '../protocol/reply-format.ts';
import {
  decodeRequest,
  EXTENDED_REQUEST_LENGTH,
  emptyRequest,
  type ReceivedRequest,
} from '../protocol/request.ts';
import type { ChosenContext } from './block-status.ts';
import { giveBuffer } from './buffer-pool.ts';
import { payloadLength, type RequestRules, refusalOf } from './check-request.ts';
import { chooseContexts } from './choose-contexts.ts';
import { type CommandFailure, failureOf } from './command-failure.ts';
import { farewell } from './farewell.ts';
import { IncomingPayload } from './incoming-payload.ts';
import type { Limits } from './limits.ts';
import type { MemoryShare } from './memory-share.ts';
import type { Hold } from './open-exports.ts';
import { performCommand } from './perform-command.ts';
import { ReplyBatch } from './reply-batch.ts';
import { RequestWatch } from './request-watch.ts';

/** What client and server agreed on. */
export interface Agreement {
  readonly format: ReplyFormat;
  readonly hold: Hold;
  readonly contexts: readonly ChosenContext[];
}

/** What a transmission has of its server. */
export interface TransmissionScene {
  readonly limits: Limits;
  readonly memory: MemoryShare;
  /** Told of what failed for reasons that the client cannot be told in full. */
  readonly onFailure: (error: unknown) => void;
}

/** The longest read that is tried at once, bytes. */
const QUICK_READ = 1 << 20;
/** Replies of so many bytes do not wait for those of the requests behind them. */
const SENT_AT_ONCE = 128 * 1024;
/**
 * Bytes of replies that are ready and wait for the client, past which no more are made: a socket is kept busy by less, and
 * few buffers, used again and again, stay in the processor's cache.
 */
const READY = 1 << 20;
/** The most that is read or written in one piece, bytes. */
const PIECE = 1 << 20;
/** Requests that are taken in a row before others have their turn. */
const IN_A_ROW = 64;
/**
 * Of a client that sends much, so many bytes are taken in a row straight into the buffers that are written from, past the
 * stream, which would put all of it into new memory first.
 */
const STRAIGHT = 256 * 1024;
/** A payload of so many bytes is much. */
const MUCH = 16 * 1024;
/** What a command without data may have in memory, bytes. */
const COSTS: Readonly<Record<number, number>> = { [Command.blockStatus]: 1 << 20, [Command.cache]: 1 << 20 };

/**
 * The second phase of a connection: commands and their replies.
 *
 * All requests of a chunk from the socket are served in one go: reads that need no waiting straight into one buffer,
 * which is sent with one write. What needs waiting goes on by itself and sends its reply when it is done. While too much is
 * under way or waits to be sent, no more is taken from the socket.
 */
export class Transmission {
  readonly #socket: Duplex;
  readonly #agreed: Agreement;
  readonly #scene: TransmissionScene;
  readonly #rules: RequestRules;
  readonly #disk: Disk;
  readonly #batch: ReplyBatch;
  readonly #quick: QuickSocket | undefined;
  readonly #watch: RequestWatch | undefined;
  readonly #request: ReceivedRequest = emptyRequest();
  /** What came of a request whose rest is still to come. */
  readonly #partial = Buffer.alloc(EXTENDED_REQUEST_LENGTH);
  #partialLength = 0;
  #incoming: IncomingPayload | undefined;
  /** Bytes of the last request's payload, which came or is coming. */
  #payload = 0;
  #chunk: Buffer | undefined;
  #at = 0;
  #requestsTaken = 0;
  #requestsInFlight = 0;
  #bytesInFlight = 0;
  #takesMore = true;
  /** The client sends no more than what has come. */
  #clientEnded = false;
  #flushIsDue = false;
  readonly #ended = Promise.withResolvers<void>();
  #roomToSend: PromiseWithResolvers<void> | undefined;
  #stallWatch: NodeJS.Timeout | undefined;

  constructor(socket: Duplex, agreed: Agreement, scene: TransmissionScene) {
    this.#socket = socket;
    this.#agreed = agreed;
    this.#scene = scene;
    this.#disk = agreed.hold.disk;
    this.#rules = { mode: agreed.format.mode, hold: agreed.hold, contexts: agreed.contexts.length };
    this.#quick = QuickSocket.of(socket);
    this.#watch = this.#quick && new RequestWatch(this.#quick);
    this.#batch = new ReplyBatch(socket, this.#quick, scene.memory, () => this.#sent());
  }

  /** Serves until the client has gone, or `finish` was called and all that was under way is answered. */
  async run(): Promise<void> {
    const leave = this.#scene.memory.join();
    this.#socket.on('data', (chunk: Buffer) => {
      if (!this.#takesMore) return;
      this.#chunk = chunk;
      this.#at = 0;
      this.#goOn();
    });
    this.#socket.on('end', () => this.#endOfInput());
    this.#socket.on('close', () => this.#gone());
    // While the disk was being opened the client may have left: those events have been already.
    if (this.#socket.destroyed) this.#gone();
    else if (this.#socket.readableEnded) this.#endOfInput();
    try {
      await this.#ended.promise;
      await this.#batch.drained();
    } finally {
      clearInterval(this.#stallWatch);
      leave();
    }
    await farewell(this.#socket, this.#scene.limits.farewellMs);
  }

  /** Takes no more requests, and ends when what is under way is answered. */
  finish(): void {
    if (this.#takesMore) {
      this.#takesMore = false;
      this.#socket.pause();
      this.#watchForStall();
      this.#cutOff();
    }
    this.#endIfDone();
  }

  #endOfInput(): void {
    this.#clientEnded = true;
    this.#goOn();
  }

  #gone(): void {
    this.#batch.drop();
    this.#roomToSend?.resolve();
    this.finish();
  }

  /** A client that has ended, or is to end, and takes none of its replies, is not waited for any longer. */
  #watchForStall(): void {
    let sent = this.#batch.sent;
    this.#stallWatch = setInterval(() => {
      if (this.#batch.unsent > 0 && this.#batch.sent === sent) this.#socket.destroy();
      sent = this.#batch.sent;
    }, this.#scene.limits.farewellMs);
  }

  /** Of a payload that is coming, no more will. */
  #cutOff(): void {
    const incoming = this.#incoming;
    if (!incoming) return;
    this.#incoming = undefined;
    incoming.isCutOff = true;
    if (incoming.pending === 0) this.#requestsInFlight -= 1;
  }

  /** Takes requests from what has come, as long as there is room, and one after the other from a client that sends them so. */
  #goOn(): void {
    for (let round = 1; ; round += 1) {
      const before = this.#requestsTaken;
      this.#takeWhatCame();
      if (this.#quick) this.#takeStraight(this.#quick);
      this.#batch.flush();
      if (this.#requestsTaken - before !== 1 || round === IN_A_ROW || !this.#isIdle()) break;
      this.#chunk = this.#watch?.next();
      this.#at = 0;
      if (this.#chunk === undefined) break;
    }
    if (this.#clientEnded && this.#chunk === undefined) this.finish();
    else this.#endIfDone();
  }

  /** Everything that came is answered, and nobody else is being served. */
  #isIdle(): boolean {
    return (
      this.#takesMore &&
      !this.#clientEnded &&
      this.#chunk === undefined &&
      this.#incoming === undefined &&
      this.#requestsInFlight === 0 &&
      this.#batch.unsent === 0 &&
      this.#scene.memory.clients === 1
    );
  }

  #takeWhatCame(): void {
    while (this.#takesMore && this.#chunk !== undefined) {
      if (!this.#hasRoom()) {
        this.#socket.pause();
        break;
      }
      if (this.#incoming) this.#takeData(this.#chunk, this.#incoming);
      else if (!this.#takeRequest(this.#chunk)) break;
      if (this.#at === this.#chunk?.length) {
        this.#chunk = undefined;
        this.#socket.resume();
      }
    }
  }

  /** Takes large payloads, and the requests between them, straight from the socket. */
  #takeStraight(quick: QuickSocket): void {
    for (let left = STRAIGHT; left > 0 && this.#payload >= MUCH; ) {
      if (!this.#takesMore || this.#chunk !== undefined || !this.#hasRoom()) return;
      const incoming = this.#incoming;
      // What is thrown away needs no buffer.
      if (incoming?.failure) return;
      const count = incoming ? this.#receiveData(quick, incoming) : this.#receiveRequest(quick);
      if (count === 0) return;
      left -= count;
    }
  }

  #receiveRequest(quick: QuickSocket): number {
    const { requestLength } = this.#agreed.format;
    const count = quick.tryReceive(this.#partial.subarray(this.#partialLength, requestLength));
    this.#partialLength += count;
    if (this.#partialLength === requestLength) {
      this.#partialLength = 0;
      this.#take(this.#partial, 0);
    }
    return count;
  }

  #receiveData(quick: QuickSocket, incoming: IncomingPayload): number {
    const count = incoming.receive(
      (into) => quick.tryReceive(into),
      (piece, distance, isOwn) => this.#use(incoming, piece, distance, isOwn),
    );
    this.#endIfWhole(incoming);
    return count;
  }

  #hasRoom(): boolean {
    const { limits, memory } = this.#scene;
    // A payload that is coming has its place among the requests already.
    const mayBegin = this.#incoming !== undefined || this.#requestsInFlight < limits.requestsInFlight;
    return mayBegin && this.#maySend() && this.#bytesInFlight + this.#batch.unsent < memory.bytes;
  }

  #maySend(): boolean {
    return this.#batch.unsent < Math.min(READY, this.#scene.memory.bytes);
  }

  /** Takes a request, or what there is of one. Returns false when the client does not speak the protocol. */
  #takeRequest(chunk: Buffer): boolean {
    const { requestLength } = this.#agreed.format;
    let bytes = chunk;
    let at = this.#at;
    if (this.#partialLength > 0 || chunk.length - at < requestLength) {
      const count = chunk.copy(
        this.#partial,
        this.#partialLength,
        at,
        at + requestLength - this.#partialLength,
      );
      this.#partialLength += count;
      this.#at += count;
      if (this.#partialLength < requestLength) return true;
      this.#partialLength = 0;
      bytes = this.#partial;
      at = 0;
    } else {
      this.#at += requestLength;
    }
    return this.#take(bytes, at);
  }

  /** Takes a request that is all there. */
  #take(bytes: Buffer, at: number): boolean {
    const isExtended = this.#agreed.format.mode === 'extended';
    if (decodeRequest(bytes, at, isExtended, this.#request) && this.#begin(this.#request)) return true;
    // Where the next request begins cannot be told any more.
    this.#takesMore = false;
    this.#cutOff();
    this.#socket.destroy();
    return false;
  }

  /** Returns false when the client sends more than it may. */
  #begin(request: ReceivedRequest): boolean {
    const { format } = this.#agreed;
    this.#requestsTaken += 1;
    if (request.command === Command.disconnect) {
      this.finish();
      return true;
    }
    const refusal = refusalOf(request, this.#rules);
    const payload = payloadLength(request, format.mode);
    if (payload === undefined) return false;
    this.#payload = payload;
    if (payload > 0) {
      this.#requestsInFlight += 1;
      this.#incoming = new IncomingPayload({ ...request }, payload, this.#piece(), refusal);
    } else if (refusal) {
      this.#batch.add(format.error(request, refusal.errno, refusal.message));
    } else if (request.command !== Command.read || !this.#readNow(request)) {
      this.#start({ ...request }, this.#agreed.contexts);
    }
    return true;
  }

  #piece(): number {
    return Math.min(PIECE, this.#scene.memory.bytes);
  }

  /** Serves a read that needs no waiting. */
  #readNow(request: ReceivedRequest): boolean {
    const { format } = this.#agreed;
    const { offset, length } = request;
    if (length > QUICK_READ || length === 0 || this.#disk.tryRead === undefined) return false;
    const whole = format.dataPrefix + length;
    const at = this.#batch.place(whole);
    const { buffer } = this.#batch;
    let done = false;
    try {
      done = this.#disk.tryRead(buffer.subarray(at + format.dataPrefix, at + whole), offset);
    } catch {
      // What is wrong shows again in the read that waits, which tells the client.
    }
    if (!done) {
      this.#batch.takeBack(whole);
      return false;
    }
    format.putDataPrefix(buffer, at, request, offset, length, true);
    if (length >= SENT_AT_ONCE) this.#batch.flush();
    return true;
  }

  /** Starts a command that needs waiting. */
  #start(request: ReceivedRequest, contexts: readonly ChosenContext[]): void {
    const { format, hold } = this.#agreed;
    const { onFailure } = this.#scene;
    const piece = this.#piece();
    const cost = request.command === Command.read ? request.length : (COSTS[request.command] ?? 0);
    const bytes = Math.min(cost, piece);
    this.#requestsInFlight += 1;
    this.#bytesInFlight += bytes;
    const room = (): Promise<void> => this.#room();
    performCommand(request, { format, hold, contexts, batch: this.#batch, piece, room, onFailure })
      .catch((error: unknown) => this.#fail(request, this.#failureOf(error)))
      .finally(() => {
        this.#bytesInFlight -= bytes;
        this.#endRequest();
      });
  }

  #takeData(chunk: Buffer, incoming: IncomingPayload): void {
    this.#at = incoming.take(chunk, this.#at, (piece, distance, isOwn) =>
      this.#use(incoming, piece, distance, isOwn),
    );
    this.#endIfWhole(incoming);
  }

  #use(incoming: IncomingPayload, piece: Buffer, distance: number, isOwn: boolean): void {
    const { request } = incoming;
    if (request.command === Command.write) {
      this.#writePiece(incoming, piece, request.offset + distance, isOwn);
    } else {
      this.#useChoice(request, piece);
    }
  }

  #endIfWhole(incoming: IncomingPayload): void {
    if (!incoming.isWhole) return;
    this.#incoming = undefined;
    if (incoming.pending > 0) return;
    if (incoming.request.command === Command.write) {
      this.#endWrite(incoming);
    } else {
      if (incoming.failure) this.#fail(incoming.request, incoming.failure);
      this.#requestsInFlight -= 1;
    }
  }

  /** A block status whose payload chooses contexts. The payload is so short that it comes in one piece. */
  #useChoice(request: ReceivedRequest, payload: Buffer): void {
    const choice = chooseContexts(request, payload, this.#agreed.contexts);
    const refusal = choice
      ? refusalOf(choice.request, this.#rules)
      : { errno: Errno.invalid, message: 'unknown contexts, or one twice' };
    if (refusal) this.#fail(request, refusal);
    else if (choice) this.#start(choice.request, choice.contexts);
  }

  #writePiece(incoming: IncomingPayload, piece: Buffer, offset: number, isOwn: boolean): void {
    const disk = this.#agreed.hold.writable;
    if (!disk) throw new TypeError('a write to a read-only export is refused before');
    incoming.pending += 1;
    this.#bytesInFlight += piece.length;
    disk
      .write(piece, offset)
      .then(
        () => {
          // After a failure parts of it may still be on their way to the disk: it is never used again then.
          if (isOwn) giveBuffer(piece);
        },
        (error: unknown) => {
          incoming.failure ??= this.#failureOf(error);
        },
      )
      .finally(() => {
        incoming.pending -= 1;
        this.#bytesInFlight -= piece.length;
        if (incoming.pending > 0) return this.#flushSoon();
        if (incoming.isWhole) this.#endWrite(incoming);
        else if (incoming.isCutOff) this.#endRequest();
        else this.#flushSoon();
      });
  }

  /** All data of a write have come and are written, or it failed. */
  #endWrite({ request, failure }: IncomingPayload): void {
    const { writable } = this.#agreed.hold;
    if (failure !== undefined || (request.flags & CommandFlag.fua) === 0 || writable === undefined) {
      if (failure) this.#fail(request, failure);
      else this.#putDone(request);
      this.#endRequest();
      return;
    }
    writable
      .flush()
      .then(
        () => this.#putDone(request),
        (error: unknown) => this.#fail(request, this.#failureOf(error)),
      )
      .finally(() => this.#endRequest());
  }

  #putDone(request: ReceivedRequest): void {
    const { format } = this.#agreed;
    const at = this.#batch.place(format.doneLength);
    format.putDone(this.#batch.buffer, at, request);
  }

  #fail(request: ReceivedRequest, { errno, message }: CommandFailure): void {
    this.#batch.add(this.#agreed.format.error(request, errno, message));
  }

  #failureOf(error: unknown): CommandFailure {
    const failure = failureOf(error);
    if (failure.errno === Errno.io) this.#scene.onFailure(error);
    return failure;
  }

  #endRequest(): void {
    this.#requestsInFlight -= 1;
    this.#flushSoon();
  }

  /** What ends in one turn of the event loop is sent together. */
  #flushSoon(): void {
    if (this.#flushIsDue) return;
    this.#flushIsDue = true;
    setImmediate(() => {
      this.#flushIsDue = false;
      this.#goOn();
    });
  }

  /** Who waits for room, in here or in the socket, goes on when there is some. */
  #sent(): void {
    if (!this.#maySend()) return;
    this.#roomToSend?.resolve();
    if (this.#chunk !== undefined) this.#flushSoon();
  }

  /** Waits until the client has taken so much that there is room to send more. */
  async #room(): Promise<void> {
    while (!this.#maySend() && !this.#socket.destroyed) {
      this.#roomToSend ??= Promise.withResolvers<void>();
      await this.#roomToSend.promise;
      this.#roomToSend = undefined;
    }
  }

  #endIfDone(): void {
    if (this.#takesMore || this.#requestsInFlight > 0) return;
    this.#batch.flush();
    this.#ended.resolve();
  }
}
