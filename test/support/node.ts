import { join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { type Running, type RunOptions, start } from './programs.ts';

/** Starts a TypeScript program under the Node that runs the tests. */
export function startNode(program: string, args: string[], options: RunOptions = {}): Running {
  return start(`/${process.execPath.slice(1)}`, [program, ...args], {
    ...options,
    // Reading the sources' types away costs a third of a second a start; what Node made of them last time does as well.
    env: { NODE_COMPILE_CACHE: join(cacheFolder, 'compiled'), ...options.env },
  });
}
