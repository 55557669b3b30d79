import { packageVersion } from '../version.ts';
import { imgCommands } from './command-table.ts';
import type { ImgContext } from './img-context.ts';

/** The release of QEMU whose qemu-img is taken for the model. Programs ask for it. */
const QEMU = '7.2.0';

const FORMATS = ['file', 'nbd', 'null-co', 'qcow2', 'raw'];

const WORDS = `
Sizes are bytes, or have a suffix: k, M, G, T, P, E (powers of 1024). A name is that of a file, json:{...}, nbd://HOST[:PORT]/EXPORT or
nbd+unix:///EXPORT?socket=PATH. Formats other than raw and qcow2 are left to qemu-img, where that is installed.
`;

/** Help on one subcommand, or on all of them; resolves to the exit code. */
export async function printHelp(name: string | undefined, context: ImgContext): Promise<number> {
  const { program, print } = context;
  if (name !== undefined) {
    print(await helpOn(name, program));
    return 0;
  }
  print(`usage: ${program} [-h | --help] [-V | --version] COMMAND [OPTIONS]\n\n`);
  print('Works on disk images with the commands and options of qemu-img.\n\nCommands:\n');
  for (const [each, load] of Object.entries(imgCommands)) print(`  ${each} ${(await load()).usage}\n`);
  print(`${WORDS}\n'${program} COMMAND --help' explains the options of one command.\n`);
  // Word for word as in qemu-img's help, in which programs look for it.
  print(`\nSupported formats: ${FORMATS.join(' ')}\n`);
  return 0;
}

async function helpOn(name: string, program: string): Promise<string> {
  const command = await imgCommands[name]?.();
  if (command === undefined) return '';
  const width = Math.max(0, ...command.help.map(([option]) => option.length));
  const lines = command.help.map(([option, does]) => `  ${option.padEnd(width)}  ${does}\n`);
  return `usage: ${program} ${name} ${command.usage}\n\n${lines.join('')}`;
}

/** Begins as what qemu-img prints, by which programs tell what it can do. */
export function printVersion({ program, print }: ImgContext): number {
  print(`${program} version ${QEMU} (calve ${packageVersion()})\n`);
  return 0;
}
