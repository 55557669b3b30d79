// A process in which one command line after another runs (resident-program.ts): the program's own `dispatch`, loaded once.
import { flushCompileCache } from 'node:module';
import { Readable, Writable } from 'node:stream';
import { dispatch } from '../../src/cli/dispatch.ts';

/** What is asked for, and what it came to. */
export interface Request {
  readonly words: readonly string[];
  readonly env: Record<string, string | undefined>;
  /** The folder to run in. */
  readonly cwd: string;
}
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they were written. */
  readonly shown: string;
  /** What was still going on long after the command, and would have kept its process from ending. */
  readonly unfinished: readonly string[];
}

/** How long what goes on after a command may take to end, in milliseconds: a machine may be slow, a leak never ends. */
const PATIENCE = 60_000;
const LISTENED_FOR = ['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException'];

class Captured extends Writable {
  readonly #chunks: Buffer[] = [];
  readonly #shown: Buffer[];

  constructor(shown: Buffer[]) {
    super();
    this.#shown = shown;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk);
    this.#shown.push(chunk);
    done();
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

async function answer({ words, env, cwd }: Request): Promise<Answer> {
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (const [name, value] of Object.entries(env)) if (value !== undefined) process.env[name] = value;
  const shown: Buffer[] = [];
  const [stdout, stderr] = [new Captured(shown), new Captured(shown)];
  for (const [name, value] of Object.entries({ stdin: Readable.from([]), stdout, stderr }))
    Object.defineProperty(process, name, { value, configurable: true });
  process.exitCode = undefined;
  const before = process.getActiveResourcesInfo();
  await dispatch(words);
  const unfinished = await settle(before);
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  for (const name of LISTENED_FOR) process.removeAllListeners(name);
  const texts = { stdout: stdout.text(), stderr: stderr.text(), shown: Buffer.concat(shown).toString() };
  return { code, ...texts, unfinished };
}

/** Waits until nothing goes on but what did `before`; resolves to what does all the same. */
async function settle(before: readonly string[]): Promise<string[]> {
  const until = performance.now() + PATIENCE;
  for (let pause = 0; ; pause = 10) {
    const unfinished = process.getActiveResourcesInfo();
    for (const name of before) {
      const at = unfinished.indexOf(name);
      if (at >= 0) unfinished.splice(at, 1);
    }
    if (unfinished.length === 0 || performance.now() > until) return unfinished;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

process.on('message', async (request: Request) => process.send?.(await answer(request)));
// Not by an exit, which would wait for ever where a thread waits for a lock.
process.on('disconnect', () => {
  flushCompileCache();
  process.kill(process.pid, 'SIGKILL');
});
