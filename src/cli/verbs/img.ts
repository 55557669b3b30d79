import { CalveError } from '../../errors/index.ts';
import type { Verb } from '../verb.ts';

/** `calve img`, also installed as `calve-img`. Its words are qemu-img's, so `main.ts` hands them over before anything is parsed. */
export const img: Verb = {
  examples: [
    { line: 'calve img info disk.qcow2', does: 'what an image says of itself' },
    { line: 'calve img --help', does: 'all its commands' },
  ],
  declare(command) {
    command
      .argument('<command>', 'as in `qemu-img COMMAND`')
      .argument('[words...]', 'the options and operands of that command')
      .action(() => {
        throw new CalveError('usage', 'img: expected it as the first word after calve', {
          hint: 'calve img --help',
        });
      });
  },
};
