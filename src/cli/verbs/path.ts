import { driveOption } from '../drive-option.ts';
import { resolveTarget } from '../target.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly drive?: boolean;
  readonly check?: boolean;
}

/** `calve path ENV|REF` */
export const path: Verb = {
  examples: [
    { line: "qemu-io -c 'read -P 0 0 512' $(calve path quiet-otter)", does: 'any program that opens qcow2' },
    { line: 'qemu-system-x86_64 -m 1G $(calve path --drive quiet-otter)', does: 'boot it' },
    { line: 'calve path --check debian:12', does: 'verify every layer first' },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref>', 'an environment, or a version (to be opened read-only)')
      .option('--drive', "print QEMU's whole option; a version's always with readonly=on")
      .option('--check', 'first verify that every layer below is unchanged')
      .action(async (name: string, options: Options) => {
        const { output, signal } = session;
        const store = await session.openStore();
        const target = await resolveTarget(session, store, name);
        if (options.check === true) {
          await output.during(name, (onProgress) =>
            store.versions.verify(target.version, { signal, onProgress }),
          );
        }
        const file =
          target.kind === 'env'
            ? await store.envs.path(target.name)
            : await store.versions.path(target.version);
        output.print(options.drive === true ? driveOption(file, { readOnly: target.kind !== 'env' }) : file);
      });
  },
};
