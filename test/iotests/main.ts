/**
 * Runs QEMU's own tests, its iotests, with `calve-img` in the place of `qemu-img`; `npm run iotests -- [--limit SECONDS]
 * [--logs FOLDER] [NAME...]`, by default all of tests.txt. Prints a line a test, then the count; exits with 1 when one
 * failed that was not known to fail, or one that was passed.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../support/temporary.ts';
import { qemuSource } from './qemu-source.ts';
import { runIotest } from './run-iotest.ts';
import { testTree } from './test-tree.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { limit: { type: 'string', default: '120' }, logs: { type: 'string' } },
});

/** What each test is known to fail of; undefined of those that pass. */
const known = await readList();
const names = positionals.length > 0 ? positionals : [...known.keys()];
const source = await qemuSource();
await using folder = await temporaryFolder('i');
const tree = await testTree(source, folder.path);
const counts = { passed: 0, failed: 0, skipped: 0 };
let surprises = 0;
for (const name of names) {
  const { result, why, output, seconds } = await runIotest(name, tree, folder.path, Number(values.limit));
  counts[result] += 1;
  const reason = known.get(name);
  const isSurprise = (result === 'failed') !== (reason !== undefined);
  if (isSurprise) surprises += 1;
  const words = [why, reason === undefined ? '' : `known: ${reason}`].filter((each) => each !== '');
  const mark = isSurprise ? ' (unexpected)' : '';
  process.stdout.write(`${[`${name} ${result}${mark} ${seconds.toFixed(1)} s`, ...words].join('; ')}\n`);
  if (result === 'failed' && values.logs !== undefined) {
    await mkdir(values.logs, { recursive: true });
    await writeFile(join(values.logs, `${name}.log`), output);
  }
}
const { passed, failed, skipped } = counts;
process.stdout.write(`${passed} of ${names.length} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = surprises === 0 ? 0 : 1;

/** A test a line: its name, and after a colon why it fails. */
async function readList(): Promise<Map<string, string | undefined>> {
  const text = await readFile(join(import.meta.dirname, 'tests.txt'), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [name = '', ...reason] = line.split(': ');
      return [name, reason.length === 0 ? undefined : reason.join(': ')];
    }),
  );
}
