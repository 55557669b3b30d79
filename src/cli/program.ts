import { Command } from 'commander';
import type { GlobalOptions, Session } from './session.ts';
import type { Verb } from './verb.ts';
import { findVerb, verbTable } from './verb-table.ts';
import { packageVersion } from './version.ts';

/** The options of the whole command line as they are parsed; `store` is true where it was said without a folder. */
export interface ProgramOptions extends Omit<GlobalOptions, 'store' | 'wholeStore'> {
  readonly store?: string | true | undefined;
}

const WORDS = `
REF is a name (debian:12), a digest or its first digits (ab12cd), REF~2, REF@{1} or ENV@base.
\`calve help COMMAND\` explains one command, with examples.`;

/** The whole command line. A verb's own part is declared when that verb is about to be parsed. */
export function buildProgram(session: Session): Command {
  const program = new Command('calve')
    .description('Version control and disposable environments for virtual machine disks.')
    .usage('[options] <command>')
    .helpCommand(false)
    .helpOption('-h, --help', 'show this')
    .option('--store [dir]', 'the store to work on ($CALVE_STORE, else ~/.local/share/calve)')
    .option('-q, --quiet', 'no messages, no progress; what is listed shrinks to names')
    .option('-y, --yes', 'answer every question with yes')
    .option('--no-color', 'no colours (NO_COLOR does the same)')
    .version(packageVersion(), '-V, --version', 'print the version')
    .configureHelp({
      showGlobalOptions: true,
      optionTerm: (option) => option.flags.replace('[dir]', '<dir>'),
    })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'calve: ')) })
    .showHelpAfterError('hint: calve --help')
    .exitOverride()
    .addHelpText('after', WORDS);
  for (const entry of verbTable) {
    const command = program
      .command(entry.name, { hidden: entry.group === undefined })
      .summary(entry.summary)
      .description(`${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}.`)
      .showHelpAfterError(`hint: calve help ${entry.name}`);
    if (entry.alias !== undefined) command.alias(entry.alias);
    if (entry.group !== undefined) command.helpGroup(entry.group);
  }
  program.hook('preSubcommand', async (_program, command) => {
    const entry = findVerb(command.name());
    if (entry?.takesWholeStore !== true && program.opts<ProgramOptions>().store === true) {
      program.error("error: option '--store <dir>' argument missing");
    }
    if (entry !== undefined) declareVerb(await entry.load(), command, session);
  });
  return program;
}

/** Declares a verb's own part on its command, with its examples in the help. */
export function declareVerb(verb: Verb, command: Command, session: Session): void {
  verb.declare(command, session);
  if (verb.examples.length === 0) return;
  const width = Math.max(...verb.examples.map((example) => example.line.length));
  const lines = verb.examples.map((example) => `  ${example.line.padEnd(width)}  ${example.does}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
