import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { qemuImgCheck, qemuImgCompare } from '../support/qemu.ts';
import { seededRandom } from '../support/random.ts';
import { rounds, SEED } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { startServer } from './start-server.ts';
import { CMD, FLAG, type Mode, Wire } from './wire.ts';

const MIB = 2 ** 20;
const SIZE = 40 * MIB;
const CLIENTS = 64;
/** Each client's own part of the disk; what lies behind is everybody's. */
const PART = MIB / 2;
const SHARED = CLIENTS * PART;
const BLOCK = 64 * 1024;
const MODES: readonly Mode[] = ['simple', 'structured', 'extended'];

/** What the disk must hold. */
const model = Buffer.alloc(SIZE);
/** Blocks of the shared part that somebody works on. */
const busy = new Set<number>();

class Client {
  readonly #wire: Wire;
  readonly #first: number;
  readonly #random: () => number;

  constructor(wire: Wire, number: number) {
    this.#wire = wire;
    this.#first = number * PART;
    this.#random = seededRandom(SEED + number);
  }

  async step(other: Client): Promise<void> {
    if (this.#below(4) > 0) return this.#work(this.#first, PART);
    const block = SHARED + this.#below((SIZE - SHARED) / BLOCK) * BLOCK;
    if (busy.has(block)) return;
    busy.add(block);
    await this.#work(block, BLOCK);
    // What one connection was told to be written, every other one reads.
    await other.check(block, BLOCK);
    busy.delete(block);
  }

  async #work(first: number, length: number): Promise<void> {
    const start = first + this.#below(length);
    const end =
      start + 1 + this.#below(Math.min(first + length - start, this.#below(8) === 0 ? length : 9000));
    const kind = this.#below(10);
    const flags = this.#below(16) === 0 ? FLAG.FUA : 0;
    if (kind < 5) {
      const seed = this.#below(256);
      for (let at = start; at < end; at += 1) model[at] = seed + (at >> 9) + at * 3;
      await this.#done({
        command: CMD.WRITE,
        flags,
        offset: start,
        payload: Buffer.from(model.subarray(start, end)),
      });
    } else if (kind < 7) {
      model.fill(0, start, end);
      const how = flags | (this.#below(2) === 0 ? FLAG.NO_HOLE : 0);
      await this.#done({ command: CMD.WRITE_ZEROES, flags: how, offset: start, length: end - start });
    } else if (kind < 8) {
      await this.#trim(start, end, flags);
    } else {
      await this.check(start, end - start);
    }
    if (this.#below(20) === 0) await this.#done({ command: CMD.FLUSH });
  }

  /** What was trimmed holds zeros, or what it held. */
  async #trim(start: number, end: number, flags: number): Promise<void> {
    await this.#done({ command: CMD.TRIM, flags, offset: start, length: end - start });
    const { data } = await this.#wire.command({ command: CMD.READ, offset: start, length: end - start });
    data.forEach((byte, at) => {
      assert.ok(byte === 0 || byte === model[start + at], `byte ${start + at} after a trim`);
    });
    data.copy(model, start);
  }

  async check(offset: number, length: number): Promise<void> {
    const { error, data } = await this.#wire.command({ command: CMD.READ, offset, length });
    assert.equal(error, 0);
    assert.ok(data.equals(model.subarray(offset, offset + length)), `${length} bytes at ${offset}`);
  }

  async #done(command: Parameters<Wire['command']>[0]): Promise<void> {
    assert.equal((await this.#wire.command(command)).error, 0);
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}

test(`${CLIENTS} clients that read and write at once see each his own, and all what is shared`, async (t) => {
  await using folder = await temporaryFolder();
  await using server = await startServer(folder, SIZE);
  const wires = await Promise.all(
    Array.from({ length: CLIENTS + 1 }, (_, at) => Wire.go(server.path, MODES[at % 3] ?? 'simple')),
  );
  const clients = wires.map((wire, at) => new Client(wire, at));
  // An own wire for checks, so that no two commands are under way on one that waits for the first reply.
  const checkers = await Promise.all(
    Array.from({ length: CLIENTS }, () => Wire.go(server.path, 'structured')),
  );
  const steps = rounds(12, 1000);
  await Promise.all(
    clients.slice(0, CLIENTS).map(async (client, at) => {
      const checker = new Client(checkers[at] ?? assert.fail(), 0);
      for (let step = 0; step < steps; step += 1) await client.step(checker);
    }),
  );
  for (let at = 0; at < SIZE; at += 4 * MIB) await clients.at(-1)?.check(at, 4 * MIB);
  await Promise.all([...wires, ...checkers].map((wire) => wire[Symbol.asyncDispose]()));
  const { memory, stoodStill } = await server.end();
  t.diagnostic(
    `${CLIENTS * steps} steps; the server had at most ${(memory / 1024).toFixed(0)} MiB, and stood still for ${stoodStill.toFixed(0)} ms`,
  );
  assert.ok(memory < 200 * 1024, `${memory} KiB`);
  await qemuImgCheck(server.image);
  const expected = folder.join('expected.raw');
  await writeFile(expected, model);
  await qemuImgCompare(expected, 'raw', server.image, 'qcow2');
});

test(`${CLIENTS} clients that ask for all they may, and take it slowly, leave the server its memory`, async (t) => {
  await using folder = await temporaryFolder();
  await using server = await startServer(folder, SIZE);
  await using good = await Wire.go(server.path, 'structured');
  for (let at = 0; at < SIZE; at += 8 * MIB) {
    const written = await good.command({
      command: CMD.WRITE,
      offset: at,
      payload: Buffer.alloc(8 * MIB, 1 + at / MIB),
    });
    assert.equal(written.error, 0);
  }
  const greedy = await Promise.all(
    Array.from({ length: CLIENTS }, (_, at) => Wire.go(server.path, MODES[at % 3] ?? 'simple')),
  );
  for (const wire of greedy) {
    wire.socket.pause();
    for (let count = 0; count < 64; count += 1) {
      wire.send(
        wire.request({ command: CMD.READ, offset: 0, length: 32 * MIB }),
        wire.request({ command: CMD.READ, offset: 4096 * count, length: 128 * 1024 }),
        wire.request({ command: CMD.CACHE, offset: 0, length: SIZE }),
        wire.request({ command: CMD.FLUSH }),
      );
    }
  }
  for (let count = 0; count < 100; count += 1) {
    const offset = (count * 7919 * 512) % (SIZE - 4096);
    assert.equal((await good.command({ command: CMD.READ, offset, length: 4096 })).error, 0);
  }
  // One in eight takes the first of what it asked for.
  const takers = greedy.filter((_, at) => at % 24 === 1);
  await Promise.all(
    takers.map(async (wire) => {
      wire.socket.resume();
      const { type, payload } = await wire.chunk();
      assert.deepEqual([type, payload.subarray(8, 16)], [1, Buffer.alloc(8, 1)]);
      wire.socket.pause();
    }),
  );
  await Promise.all(greedy.map((wire) => wire[Symbol.asyncDispose]()));
  assert.equal((await good.command({ command: CMD.READ, length: 4096 })).error, 0);
  await good[Symbol.asyncDispose]();
  const { memory, stoodStill } = await server.end();
  t.diagnostic(
    `the server had at most ${(memory / 1024).toFixed(0)} MiB, and stood still for ${stoodStill.toFixed(0)} ms`,
  );
  assert.ok(memory < 200 * 1024, `${memory} KiB`);
});
