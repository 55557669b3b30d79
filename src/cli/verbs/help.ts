import type { Command } from 'commander';
import { CalveError } from '../../errors/index.ts';
import type { Verb } from '../verb.ts';
import { findVerb } from '../verb-table.ts';

/** `calve help [COMMAND]` */
export const help: Verb = {
  examples: [{ line: 'calve help commit', does: 'what commit does, its options, an example' }],
  declare: (command, _session) => {
    command
      .argument('[command...]', 'the command to explain')
      .action(async ([name, ...further]: string[]) => {
        const program = rootOf(command);
        if (name === undefined) return program.outputHelp();
        if (findVerb(name) === undefined) {
          throw new CalveError('usage', `there is no command ${name}`, { hint: 'calve --help' });
        }
        // A second pass with --help loads that verb and prints its help.
        await program.parseAsync([name, ...further, '--help'], { from: 'user' });
      });
  },
};

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
