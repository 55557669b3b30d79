// npm run bench:series [-- --runs N]: five states of a Debian disk, kept by calve and by its peers. See README.md in the folder above.
import { createReadStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { succeed } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { programPath } from './program-path.ts';
import { debianSeries } from './series.ts';
import { seriesTable } from './series-table.ts';
import { storedBytes } from './stored-bytes.ts';
import { type Tool, tools } from './tools.ts';

const TIMEOUT = 3_600_000;

const { values } = parseArgs({ options: { runs: { type: 'string', default: '1' } } });
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1) {
  throw new Error(`--runs: expected a number from 1 on, got ${values.runs}`);
}
// Compiles what is out of date.
await succeed(fileURLToPath(new URL('../../calve', import.meta.url)) as `/${string}`, ['--version'], {
  timeout: TIMEOUT,
});
const states = await debianSeries();
const kept = tools.map((tool) => ({ tool, seconds: [] as number[], bytes: 0 }));
for (let run = 0; run < runs; run += 1) {
  await using folder = await temporaryFolder('calve-bench');
  const folderOf = (tool: Tool): string => folder.join(`${tools.indexOf(tool)}`);
  for (const { tool, seconds } of kept) {
    await mkdir(`${folderOf(tool)}.cache`);
    await tool.begin(folderOf(tool));
    seconds.push(0);
  }
  // State by state, each by all of them, so that whatever else the machine does meets all.
  for (const [before, state] of states.entries()) {
    for (const { tool, seconds } of rotated(kept, before)) {
      process.stderr.write(`run ${run + 1}, state ${before + 1}: ${tool.name} ...\n`);
      await settle(state);
      const commands = tool.add(folderOf(tool), state, before);
      const began = performance.now();
      for (const { program, args, env = {} } of commands)
        await succeed(program, args, { env, timeout: TIMEOUT });
      seconds[run] = (seconds[run] ?? 0) + (performance.now() - began) / 1000;
    }
  }
  for (const each of kept) each.bytes = await storedBytes(folderOf(each.tool));
  for (const { tool } of kept) await rm(folderOf(tool), { recursive: true });
}
process.stdout.write(
  seriesTable(kept.map(({ tool, seconds, bytes }) => ({ name: tool.name, seconds, bytes }))),
);

/** Whoever begins changes from state to state. */
function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const from = by % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}

/** What was written before is on the disk, and the state in the page cache, whoever is next. */
async function settle(state: string): Promise<void> {
  await succeed(programPath('sync'), [], { timeout: TIMEOUT });
  for await (const _ of createReadStream(state, { highWaterMark: 2 ** 22 }));
}
