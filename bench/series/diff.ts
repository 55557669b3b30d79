// npm run bench:diff: what differs between states of a Debian disk, by files, beside the truth and virt-diff. See README.md in the folder above.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { whileMounted } from '../../test/support/ext-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { factsOfFolder, type TreeFacts } from '../../test/support/tree-facts.ts';
import { changedPaths, differentPaths } from '../../test/support/tree-truth.ts';
import { median } from '../median.ts';
import { programPath } from './program-path.ts';
import { debianSeries } from './series.ts';

const TIMEOUT = 3_600_000;
const RUNS = 5;
const MAIN = fileURLToPath(new URL('../../dist/program/calve.js', import.meta.url));
const KINDS = ['added', 'modified', 'deleted'] as const;

const virtDiff = programPath('virt-diff');
// Compiles what is out of date.
await succeed(fileURLToPath(new URL('../../calve', import.meta.url)) as `/${string}`, ['--version'], {
  timeout: TIMEOUT,
});
const states = await debianSeries();
await using folder = await temporaryFolder('calve-bench');
const calve = (...args: string[]): Promise<string> =>
  succeed(process.execPath as `/${string}`, [MAIN, '-q', '--store', folder.join('store'), ...args], {
    timeout: TIMEOUT,
  });
for (const [before, state] of states.entries())
  await calve('import', '--onto', 'auto', state, `s:${before + 1}`);
const truths: TreeFacts[] = [];
for (const state of states) {
  process.stderr.write(`mounting ${state} ...\n`);
  const mounted = folder.join('mounted');
  truths.push(
    await whileMounted(state, mounted, 'ro,noload', () => factsOfFolder(mounted, { crtime: false })),
  );
}
process.stdout.write(
  '| states | added | modified | deleted | as the kernel shows them | seconds |\n| --- | ---: | ---: | ---: | --- | ---: |\n',
);
let slowest = 0;
for (let state = 1; state < states.length; state += 1) {
  const sides = [`s:${state}`, `s:${state + 1}`];
  const truth = changedPaths(truths[state - 1] as TreeFacts, truths[state] as TreeFacts);
  const told = { added: new Set<string>(), modified: new Set<string>(), deleted: new Set<string>() };
  const json = JSON.parse(await calve('diff', '--json', '--no-renames', ...sides));
  for (const { kind, path, pathBase64 } of json.files) {
    const bytes = pathBase64 === undefined ? Buffer.from(path) : Buffer.from(pathBase64, 'base64');
    if (bytes.length > 1) told[kind as keyof typeof told].add(bytes.toString('latin1', 1));
  }
  const different = differentPaths(told, truth);
  for (const path of different.slice(0, 20)) process.stderr.write(`told otherwise than it is: ${path}\n`);
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const began = performance.now();
    await calve('diff', '--json', ...sides);
    times.push((performance.now() - began) / 1000);
  }
  slowest = Math.max(slowest, median(times));
  const counts = KINDS.map((kind) => truth[kind].size);
  process.stdout.write(
    `| ${state}, ${state + 1} | ${counts.join(' | ')} | ${different.length === 0 ? 'yes' : `${different.length} not`} | ${median(times).toFixed(2)} |\n`,
  );
  if (different.length > 0) process.exitCode = 1;
}
process.stderr.write('virt-diff ...\n');
const began = performance.now();
await succeed(virtDiff, ['-a', states[0] ?? '', '-A', states[1] ?? ''], {
  env: {
    LIBGUESTFS_BACKEND: 'direct',
    LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg',
    LIBGUESTFS_CACHEDIR: join(folder.path),
  },
  timeout: TIMEOUT,
});
const peer = (performance.now() - began) / 1000;
process.stdout.write(
  `\nvirt-diff took ${peer.toFixed(1)} s for 1, 2; calve's slowest took ${slowest.toFixed(2)} s: ${(peer / slowest).toFixed(0)} times faster (target: 50, and under 2 s)\n`,
);
