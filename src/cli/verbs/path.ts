import { Option } from 'commander';
import { driveOption } from '../drive-option.ts';
import { libvirtDisk } from '../libvirt-disk.ts';
import { resolveTarget } from '../target.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly drive?: boolean;
  readonly libvirt?: boolean;
  readonly check?: boolean;
}

/** `calve path ENV|REF` */
export const path: Verb = {
  examples: [
    { line: "qemu-io -c 'read -P 0 0 512' $(calve path quiet-otter)", does: 'any program that opens qcow2' },
    { line: 'qemu-system-x86_64 -m 1G $(calve path --drive quiet-otter)', does: 'boot it' },
    { line: 'calve path --libvirt debian:12', does: 'the <disk> element, read-only, for libvirt' },
    { line: 'calve path --check debian:12', does: 'verify every layer first' },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref>', 'an environment, or a version (to be opened read-only)')
      .addOption(
        new Option(
          '--drive',
          "print QEMU's whole option, once every layer below is verified; a version's always with readonly=on",
        ).conflicts('libvirt'),
      )
      .option(
        '--libvirt',
        "print libvirt's <disk> element, once every layer below is verified; a version's with <readonly/>",
      )
      .option('--check', 'first verify that every layer below is unchanged')
      .action(async (name: string, options: Options) => {
        const { output, signal } = session;
        const store = await session.openStore();
        const target = await resolveTarget(session, store, name);
        // What is printed for a machine to start with must be fit to start it.
        if (options.check === true || options.drive === true || options.libvirt === true) {
          await output.during(name, (onProgress) =>
            store.versions.verify(target.version, { signal, onProgress }),
          );
        }
        const readOnly = target.kind === 'version';
        const file = readOnly
          ? await store.versions.path(target.version)
          : await store.envs.path(target.name);
        if (options.drive === true) output.print(driveOption(file, { readOnly }));
        else output.print(options.libvirt === true ? libvirtDisk(file, { readOnly }) : file);
      });
  },
};
