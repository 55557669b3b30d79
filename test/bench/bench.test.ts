import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { report, run } from '../support/programs.ts';

test('the bench measures a case beside its peer and prints one table', async () => {
  const main = join(import.meta.dirname, '..', '..', 'bench', 'main.ts');
  const args = ['open', '--short', '--only', 'one image to read', '--runs', '1'];
  const ran = await run(process.execPath as `/${string}`, [main, ...args]);
  assert.equal(ran.code, 0, report(ran));
  const [head, rule, row, end] = ran.stdout.split('\n');
  assert.match(head ?? '', /^\| case +\| +calve \| +peer \| ratio \| runs \|$/);
  assert.match(rule ?? '', /^\| -+ \| -+: \| -+: \| -+: \| -+: \|$/);
  assert.match(
    row ?? '',
    /^\| open one image to read +\| +[\d,.]+ ops\/s \| +[\d,.]+ ops\/s \| +[\d.]+ \| +1 \|$/,
  );
  assert.equal(end, '');
});
