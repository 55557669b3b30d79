import { candidates } from '../completion/candidates.ts';
import type { Verb } from '../verb.ts';

/** `calve __complete -- WORDS…`: a candidate a line, with a tab and what it is; the shells' scripts ask this. */
export const complete: Verb = {
  examples: [],
  declare: (command, session) => {
    command.argument('[words...]').action(async (words: string[]) => {
      const program = command.parent;
      if (program === null) return;
      const current = words.at(-1) ?? '';
      for (const { word, note } of await candidates(words, program, session)) {
        if (word.startsWith(':') || word.startsWith(current)) {
          session.output.print(note === undefined ? word : `${word}\t${note}`);
        }
      }
    });
  },
};
