import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startNode } from '../support/node.ts';
import { type Ran, type Running, report } from '../support/programs.ts';
import type { Operation, OperationKind } from './operation.ts';

/** How an operation ended: done, or killed before it said so. */
export interface Outcome {
  /** Milliseconds from the request to the answer, or to the kill. */
  readonly took: number;
  readonly acknowledged: boolean;
  /** What it answered: a version's digest, or nothing. */
  readonly version: string | undefined;
}

/** A driver process that waits for its operation. */
export class Victim {
  readonly #running: Running;
  readonly #ready: Promise<void>;

  private constructor(running: Running) {
    this.#running = running;
    this.#ready = new Promise((resolve, reject) => {
      running.child.stdout?.on('data', () => {
        if (running.stdout().startsWith('ready\n')) resolve();
      });
      running.ended.then((ran) => reject(new Error(report(ran))), reject);
    });
    this.#ready.catch(() => {});
  }

  /** Starts one for an operation on the store; `scratch` is a folder of its own. The signal ends it in any case. */
  static async start(
    store: string,
    scratch: string,
    kind: OperationKind,
    signal: AbortSignal,
  ): Promise<Victim> {
    await mkdir(scratch, { recursive: true });
    const driver = fileURLToPath(new URL('driver.ts', import.meta.url));
    return new Victim(startNode(driver, [store, scratch, kind], { signal }));
  }

  /** Has the operation done and, if `delay` (milliseconds) is given, kills the process that long after asking. */
  async perform(operation: Operation, delay?: number): Promise<Outcome> {
    await this.#ready;
    const { child, ended } = this.#running;
    const began = performance.now();
    const answered = new Promise<number>((resolve) => {
      child.stdout?.once('data', () => resolve(performance.now() - began));
    });
    child.stdin?.write(`${JSON.stringify(operation)}\n`);
    if (delay !== undefined) {
      // Timers count in milliseconds, which is coarse here: the last stretch is spun away.
      if (delay > 3) await new Promise((resolve) => setTimeout(resolve, delay - 3));
      while (performance.now() - began < delay);
      child.kill('SIGKILL');
    }
    const ran = await ended;
    return outcome(ran, delay ?? (await answered));
  }
}

function outcome(ran: Ran, took: number): Outcome {
  if (ran.signal === null && ran.code !== 0) throw new Error(report(ran));
  const [, version] = /^done (.*)$/m.exec(ran.stdout) ?? [];
  return { took, acknowledged: version !== undefined, version: version === '' ? undefined : version };
}
