// A process that suffers: for each line, `[operation, folder]` in JSON, it does the operation on the store in the
// folder and answers with a line, how that ended.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { CalveError } from '../../src/errors/index.ts';
import { openStore } from '../../src/store/index.ts';
import { everyOperation } from '../support/expected-states.ts';

/** How an operation ended. */
export type Answer =
  | { readonly done: true }
  /** `code` is null for an error that is not calve's own. */
  | { readonly done: false; readonly code: string | null; readonly message: string };

async function answer(name: string, folder: string): Promise<Answer> {
  try {
    const store = await openStore(folder, { create: false });
    await everyOperation[name]?.(store);
    return { done: true };
  } catch (error) {
    return { done: false, code: CalveError.is(error) ? error.code : null, message: String(error) };
  }
}

for await (const line of createInterface(process.stdin)) {
  const [name, folder]: [string, string] = JSON.parse(line);
  writeSync(1, `${JSON.stringify(await answer(name, folder))}\n`);
}
