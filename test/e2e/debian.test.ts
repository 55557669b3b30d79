import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ImportResult } from '../../src/store/index.ts';
import { assertBlobsUntouched, blobPaths, layerPaths } from '../support/blobs.ts';
import { commandLine } from '../support/calve.ts';
import { fixture } from '../support/fixture.ts';
import { qemuImgCheck, qemuImgCompare, qemuIo } from '../support/qemu.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a Debian disk goes through import, new, a write by QEMU, commit and export, and every earlier blob stays as it was', async (t) => {
  const original = join(await fixture('debian-disk'), 'debian.raw');
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));

  const began = performance.now();
  const { version } = await calve.json<ImportResult>('import', original, 'debian:12', '-m', 'as installed');
  t.diagnostic(`import: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  t.diagnostic(`layer: ${version.layers.map((layer) => layer.size)} bytes of ${version.size}`);
  const base = await calve.ok('path', 'debian:12');
  await qemuImgCompare(original, 'raw', base, 'qcow2');
  const earlier = await blobPaths(calve.store);

  await calve.ok('new', 'debian:12', 'work');
  const env = await calve.ok('path', 'work');
  await qemuIo(env, ['write -P 7 1M 1M']);
  await calve.ok('commit', 'work', '-m', 'sevens');
  await qemuIo(env, ['read -P 7 1M 1M']);

  const flat = folder.join('flat.raw');
  await calve.ok('export', 'debian:12', flat, '-O', 'raw');
  await qemuImgCompare(flat, 'raw', env, 'qcow2');
  await qemuIo(flat, ['read -P 7 1M 1M'], 'raw');

  const layers = await layerPaths(calve.store);
  assert.equal(layers.length, 2);
  for (const path of [...layers, env]) await qemuImgCheck(path);
  await assertBlobsUntouched(earlier);
  await calve.ok('fsck');
});
