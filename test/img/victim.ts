// A process to be killed: `victim.ts WARM TIMED FOLDER WORD...` runs a command line of qemu-img in the folder WARM, so that all
// is loaded, then in TIMED, says how many milliseconds that took, waits for a line, and runs it in FOLDER.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { runImg } from '../../src/cli/img/run-img.ts';

const [warm = '', timed = '', folder = '', ...words] = process.argv.slice(2);

async function perform(cwd: string): Promise<void> {
  process.chdir(cwd);
  const code = await runImg(words, {
    program: 'qemu-img',
    print: () => {},
    complain: (text) => process.stderr.write(text),
    signal: new AbortController().signal,
  });
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}`);
}

await perform(warm);
const began = performance.now();
await perform(timed);
writeSync(1, `ready ${performance.now() - began}\n`);
await once(process.stdin, 'data');
writeSync(1, 'begin\n');
await perform(folder);
writeSync(1, 'done\n');
process.exit();
