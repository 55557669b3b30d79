// npm run bench [-- [read] [write] [check] [open] [store] [scale] [nbd] [remote] [img] [--short] [--only TEXT] [--runs N]]: see README.md in this folder.
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../test/support/temporary.ts';
import type { BenchCase, BenchScene } from './bench-case.ts';
import { checkCases } from './cases/check.ts';
import { imgCases } from './cases/img.ts';
import { imgConvertCases } from './cases/img-convert.ts';
import { nbdCases } from './cases/nbd.ts';
import { openCases } from './cases/open.ts';
import { readCases } from './cases/read.ts';
import { remoteCases } from './cases/remote.ts';
import { scaleCases } from './cases/scale.ts';
import { storeCases } from './cases/store.ts';
import { writeCases } from './cases/write.ts';
import { type Measured, measure } from './measure.ts';
import { table } from './table.ts';

const GROUPS: Readonly<Record<string, (scene: BenchScene) => BenchCase[]>> = {
  read: readCases,
  write: writeCases,
  check: checkCases,
  open: openCases,
  store: storeCases,
  scale: scaleCases,
  nbd: nbdCases,
  remote: remoteCases,
  img: (scene) => [...imgCases(scene), ...imgConvertCases(scene)],
};
const LEAST_RUNS = 5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: String(LEAST_RUNS) },
  },
});
const runs = Number(values.runs);
if (!Number.isInteger(runs) || runs < 1)
  throw new Error(`--runs: expected a number from 1 on, got ${values.runs}`);
const wanted = positionals.length > 0 ? positionals : Object.keys(GROUPS);
const rows: Measured[] = [];
for (const name of wanted) {
  const group = GROUPS[name];
  if (!group) throw new Error(`expected some of ${Object.keys(GROUPS).join(', ')}, got ${name}`);
  // A folder each, so that one group's images are gone before the next are made.
  await using folder = await temporaryFolder('calve-bench');
  const scene = { short: values.short, join: (file: string) => folder.join(file) };
  for (const bench of group(scene)) {
    if (!bench.name.includes(values.only)) continue;
    process.stderr.write(`${bench.name} ...\n`);
    rows.push(await measure(bench, runs));
  }
}
process.stdout.write(table(rows));
