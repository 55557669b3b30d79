import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { keepYoungSpaceSmall } from './young-objects.ts';

/** What a program of ours does before it loads anything: it starts sooner next time, and takes less memory. */
export function prepareProcess(): void {
  // Node keeps what it compiled for the next start: a fifth of the time, from the sources two thirds. Not in the shared
  // /tmp, which is Node's own choice: what lies there is run.
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  enableCompileCache(join(cache, 'calve', 'compiled'));
  keepYoungSpaceSmall();
}
