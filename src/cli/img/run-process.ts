import { handOver } from './hand-over.ts';
import { runImg } from './run-img.ts';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Runs a command line of qemu-img in this process, and sets its exit code. The first signal asks the work to stop, with
 * everything as before; a second one ends the process.
 * @param program as messages call it
 * @param words what was typed after it
 */
export async function runProcess(program: string, words: readonly string[]): Promise<void> {
  const interrupt = new AbortController();
  let exitCode: number | undefined;
  for (const [name, code] of Object.entries(SIGNALS)) {
    process.once(name, () => {
      exitCode = code;
      interrupt.abort();
    });
  }
  // Nobody reads on (`qemu-img map | head`): no reason to work on either.
  process.stdout.on('error', () => interrupt.abort());
  process.stderr.on('error', () => {});
  const code = await runImg(words, {
    program,
    print: (text) => process.stdout.write(text),
    complain: (text) => process.stderr.write(text),
    signal: interrupt.signal,
    handOver: (further) => handOver(further, program),
  });
  process.exitCode = exitCode ?? code;
}
