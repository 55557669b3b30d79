import { Interrupt } from './interrupt.ts';
import { buildProgram, type ProgramOptions } from './program.ts';
import { exitCodeOf, reportError } from './report-error.ts';
import { type GlobalOptions, Session } from './session.ts';

/**
 * Runs the command line of this process and sets its exit code; never throws.
 *
 * @param words what was typed after `calve`
 */
export async function run(words: readonly string[]): Promise<void> {
  const interrupt = new Interrupt();
  interrupt.listen();
  const exitCode = await runLine(words, interrupt, {});
  process.exitCode ||= exitCode;
}

/** Runs one command line; resolves to its exit code. `inherited` holds where the line says nothing itself. */
async function runLine(
  words: readonly string[],
  interrupt: Interrupt,
  inherited: GlobalOptions,
): Promise<number> {
  const globals = (): GlobalOptions => {
    const { store: folder, ...said } = program.opts<ProgramOptions>();
    const store = folder === true ? { wholeStore: true } : folder === undefined ? {} : { store: folder };
    return { ...inherited, ...said, ...store, color: said.color !== false && inherited.color !== false };
  };
  const session: Session = new Session({
    signal: interrupt.signal,
    globals,
    endsOrderly: () => interrupt.bePatient(),
    run: (further) => {
      const { quiet, yes, color } = session.globals;
      return runLine(further, interrupt, { quiet, yes, color });
    },
  });
  const program = buildProgram(session);
  try {
    await program.parseAsync(words, { from: 'user' });
    return session.exitCode;
  } catch (error) {
    // Whatever broke because the work was interrupted is not worth a word of its own.
    const cause = interrupt.exitCode === undefined ? error : interrupt.signal.reason;
    if (!interrupt.said) reportError(cause, { color: globals().color !== false });
    return interrupt.exitCode ?? exitCodeOf(error);
  }
}
