import { CalveError } from '../../errors/index.ts';
import type { Verb } from '../verb.ts';
import { findVerb } from '../verb-table.ts';

/** `calve help [COMMAND]` */
export const help: Verb = {
  examples: [{ line: 'calve help commit', does: 'what commit does, its options, an example' }],
  declare: (command, session) => {
    command
      .argument('[command...]', 'the command to explain')
      .action(async ([name, ...further]: string[]) => {
        if (name !== undefined && findVerb(name) === undefined) {
          throw new CalveError('usage', `there is no command ${name}`, { hint: 'calve --help' });
        }
        const words = name === undefined ? [] : [name, ...further];
        session.exitCode = await session.run([...words, '--help']);
      });
  },
};
