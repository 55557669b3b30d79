import { imgCommands } from './command-table.ts';
import type { ImgContext } from './img-context.ts';
import { usageError } from './img-error.ts';
import { readOptions } from './options/read-options.ts';
import { exitCodeOfError, tellError } from './tell-error.ts';

/** `-T` configures tracing, of which there is none here: the option is taken, and changes nothing. */
const STANDARD = {
  short: { h: 'help', V: 'version', T: 'trace:' },
  long: { help: 'help', version: 'version', trace: 'trace:' },
} as const;

/**
 * Runs a command line of qemu-img.
 * @param words what was typed after the program
 * @returns the exit code; never throws
 *
 * @example
 * const code = await runImg(['info', 'disk.qcow2'], context);
 */
export async function runImg(words: readonly string[], context: ImgContext): Promise<number> {
  try {
    return await dispatch(words, context);
  } catch (error) {
    const { isForeignFormat } = await import('./opening/foreign-format.ts');
    if (isForeignFormat(error)) {
      const handedOver = await context.handOver?.(words);
      if (handedOver !== undefined) return handedOver;
    }
    tellError(error, context);
    return exitCodeOfError(error);
  }
}

async function dispatch(words: readonly string[], context: ImgContext): Promise<number> {
  const typed = readOptions(words, STANDARD, true);
  for (let each = typed.next(); ; each = typed.next()) {
    if (each.done) return runCommand(each.value, context);
    const { name } = each.value;
    if (name === 'help') return (await import('./print-help.ts')).printHelp(undefined, context);
    if (name === 'version') return (await import('./print-help.ts')).printVersion(context);
  }
}

async function runCommand([name, ...words]: readonly string[], context: ImgContext): Promise<number> {
  if (name === undefined) throw usageError('Not enough arguments');
  const load = Object.hasOwn(imgCommands, name) ? imgCommands[name] : undefined;
  if (load === undefined) throw usageError(`Command not found: ${name}`);
  const command = await load();
  if (words.includes('--help') || words.includes('-h')) {
    return (await import('./print-help.ts')).printHelp(name, context);
  }
  return command.run(words, context);
}
