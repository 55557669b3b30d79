// A program: runs one case by its number, in this process, and prints what came of it. CALVE_SEED chooses the cases.

import { writeFile } from 'node:fs/promises';
import { SEED } from '../support/suite.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { compareVerdicts } from './compare-verdicts.ts';
import { readCorpus } from './corpus.ts';
import { mutantOf } from './mutate.ts';
import { useImage } from './use-image.ts';

const [number = '0', saveAs] = process.argv.slice(2);
const mutant = mutantOf(readCorpus(), SEED, Number(number));
if (saveAs !== undefined) await writeFile(saveAs, mutant.bytes);
process.stdout.write(`case ${number}, of ${mutant.original}: ${mutant.changes.join('; ')}\n`);
const use = await useImage(mutant.bytes);
await using folder = await temporaryFolder('calve-fuzz');
const comparison = await compareVerdicts(mutant, use.report, folder.path, 'mutant.qcow2');
process.stdout.write(`${JSON.stringify({ ...use, comparison }, null, 2)}\n`);
