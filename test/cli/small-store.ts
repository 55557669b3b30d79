import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { type CommandLine, type CommandLineOptions, commandLine } from '../support/calve.ts';
import { qemuIo } from '../support/qemu.ts';
import type { TemporaryFolder } from '../support/temporary.ts';

/** A store with the version `disk:1` of a disk of 1 MiB, `disk.raw`, and the environments `one`, which changed, and `two`. */
export async function smallStore(
  folder: TemporaryFolder,
  options?: CommandLineOptions,
): Promise<CommandLine> {
  const calve = commandLine(folder.join('store'), options);
  await writeFile(folder.join('disk.raw'), randomBytes(1 << 20));
  await calve.ok('import', folder.join('disk.raw'), 'disk:1', '-m', 'first');
  await calve.ok('new', 'disk:1', 'one');
  await calve.ok('new', 'disk:1', 'two');
  await qemuIo(await calve.ok('path', 'one'), ['write -P 7 128k 64k']);
  return calve;
}
