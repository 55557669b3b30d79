import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TRAPS = 34;
/** Damages are declared once, and are tests of whatever file goes through them. */
const DECLARED = 'test/support/image-damages.ts';

/** The traps that names of tests in a source mention: `trap 3`, `traps 20 and 21`. */
function trapsIn(source: string): Set<number> {
  const found = new Set<number>();
  // A name follows a call that declares a test, or `name:`, or begins a row of a table of tests.
  const names = source.matchAll(/(?:\b(?:it|test|describe)\(\s*|\bname:\s*|\[)(["'`])(.*)\1/g);
  for (const [, , name = ''] of names) {
    for (const [, first, second] of name.matchAll(/\btraps? (\d+)(?: and (\d+))?/g)) {
      for (const number of [first, second]) if (number !== undefined) found.add(Number(number));
    }
  }
  return found;
}

async function trapsOf(file: string): Promise<Set<number>> {
  const source = await readFile(`${ROOT}${file}`, 'utf8');
  const own = trapsIn(source);
  if (!source.includes('SPECIAL_DAMAGES')) return own;
  return new Set([...own, ...trapsIn(await readFile(`${ROOT}${DECLARED}`, 'utf8'))]);
}

describe('every trap of qcow2', async () => {
  const page = await readFile(`${ROOT}docs/qcow2-traps.md`, 'utf8');
  const rows = new Map(
    [...page.matchAll(/^\| (\d+) \|(.*)\|$/gm)].map(([, trap, row]) => [Number(trap), row]),
  );
  const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: ROOT });
  const tested = new Map(await Promise.all(files.map(async (file) => [file, await trapsOf(file)] as const)));

  it('has its line in docs/qcow2-traps.md, in order, and no other number has', () => {
    assert.deepEqual(
      [...rows.keys()],
      Array.from({ length: TRAPS }, (_, index) => index + 1),
    );
  });

  for (let trap = 1; trap <= TRAPS; trap += 1) {
    it(`${trap} has a test that names it, in each file that its line names`, () => {
      const named = [...(rows.get(trap) ?? '').matchAll(/`([^`]+\.test\.ts)`/g)].map(([, file = '']) => file);
      assert.ok(named.length > 0, 'its line names no test file');
      for (const file of named) {
        const traps = tested.get(file);
        assert.ok(traps, `${file} is not there`);
        assert.ok(traps.has(trap), `${file} has no test named after trap ${trap}`);
      }
    });
  }
});
