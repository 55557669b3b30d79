import { Interrupt } from './interrupt.ts';
import { buildProgram } from './program.ts';
import { exitCodeOf, reportError } from './report-error.ts';
import { type GlobalOptions, Session } from './session.ts';

/**
 * Runs one command line and sets the process's exit code; never throws.
 *
 * @param words what was typed after `calve`
 */
export async function run(words: readonly string[]): Promise<void> {
  const interrupt = new Interrupt();
  interrupt.listen();
  const session: Session = new Session(interrupt.signal, () => program.opts<GlobalOptions>());
  const program = buildProgram(session);
  try {
    await program.parseAsync(words, { from: 'user' });
    process.exitCode = session.exitCode;
  } catch (error) {
    // Whatever broke because the work was interrupted is not worth a word of its own.
    if (interrupt.exitCode !== 0) {
      reportError(interrupt.exitCode === undefined ? error : interrupt.signal.reason, {
        color: program.opts<GlobalOptions>().color !== false,
      });
    }
    process.exitCode = interrupt.exitCode ?? exitCodeOf(error);
  }
}
