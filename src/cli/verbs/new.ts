import { envJson } from '../env-json.ts';
import { positiveInteger } from '../positive-integer.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

/** `calve new REF [ENV]` */
export const newEnv: Verb = {
  examples: [
    { line: 'calve new debian:12', does: 'one environment, its name made up and printed' },
    { line: 'calve new debian:12 web -n 3', does: 'web-1, web-2 and web-3' },
  ],
  declare: (command, session) => {
    command
      .argument('<ref>', 'the version to stand on')
      .argument('[env]', 'its name (default: a name is made up)')
      .option('-n, --number <count>', 'how many (default: 1)', positiveInteger)
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (ref: string, name: string | undefined, options: { number?: number; json?: boolean }) => {
        const { output } = session;
        const store = await session.openStore();
        const envs = await store.envs.create(ref, { name, count: options.number });
        if (options.json === true) return output.printJson(envs.map(envJson));
        const [first] = envs;
        if (first !== undefined) output.say(`on ${first.ref ?? ref} (${shortDigest(first.version)}):`);
        output.printNames(envs);
      });
  },
};
