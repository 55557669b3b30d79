import { envJson } from '../env-json.ts';
import { positiveInteger } from '../positive-integer.ts';
import { declareRemoteFlags, type RemoteFlags, registryOptions } from '../remote-options.ts';
import { shortDigest } from '../short-digest.ts';
import type { Verb } from '../verb.ts';

interface Options extends RemoteFlags {
  readonly number?: number;
  readonly json?: boolean;
}

/** `calve new REF [ENV]` */
export const newEnv: Verb = {
  examples: [
    { line: 'calve new debian:12', does: 'one environment, its name made up and printed' },
    { line: 'calve new debian:12 web -n 3', does: 'web-1, web-2 and web-3' },
    { line: 'calve new registry.example.com/team/debian:12 work', does: 'what is not here is pulled first' },
  ],
  declare: (command, session) => {
    command
      .argument('<ref>', 'the version to stand on, or HOST/REPOSITORY[:TAG]')
      .argument('[env]', 'its name (default: a name is made up)')
      .option('-n, --number <count>', 'how many (default: 1)', positiveInteger)
      .option('--json', 'print JSON (docs/json.md)');
    declareRemoteFlags(command).action(async (ref: string, name: string | undefined, options: Options) => {
      const { output, signal } = session;
      const store = await session.openStore();
      const registry = registryOptions(options, output);
      const envs = await output.duringTransfers(ref, (told) =>
        store.envs.create(ref, { name, count: options.number, registry, signal, ...told }),
      );
      if (options.json === true) return output.printJson(envs.map(envJson));
      const [first] = envs;
      if (first !== undefined) output.say(`on ${first.ref ?? ref} (${shortDigest(first.version)}):`);
      output.printNames(envs);
    });
  },
};
