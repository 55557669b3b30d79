import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, open, stat, utimes, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { ImportResult, VersionInfo } from '../../src/store/index.ts';
import { commandLine } from '../support/calve.ts';
import { qemuIo } from '../support/qemu.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** Flips one bit of a file in place and gives it its old mode and modification time back. */
async function flip(path: string, offset: number): Promise<void> {
  const before = await stat(path);
  await chmod(path, 0o600);
  {
    await using file = await open(path, 'r+');
    const { buffer } = await file.read({ buffer: Buffer.alloc(1), position: offset });
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, offset);
  }
  await chmod(path, before.mode);
  await utimes(path, before.atime, before.mtime);
}

test('a layer of which one bit is flipped is refused everywhere, with the names of all that stands on it', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const raw = folder.join('disk.raw');
  await writeFile(raw, randomBytes(2 << 20));
  const { version: base } = await calve.json<ImportResult>('import', raw, 'disk:base', '-m', 'base');
  await calve.ok('new', 'disk:base', 'lower');
  await calve.ok('new', 'disk:base', 'upper');
  const upperPath = await calve.ok('path', 'upper');
  await qemuIo(upperPath, ['write -P 7 64k 64k']);
  await calve.ok('commit', 'upper', '-m', 'sevens', '-t', 'disk:next');
  await qemuIo(upperPath, ['write -P 8 128k 64k']);
  const next = await calve.json<VersionInfo>('show', 'disk:next');
  assert.equal(next.layers.length, 2);
  assert.deepEqual(next.layers[0], base.layers[0]);

  // Something beside, which does not stand on the layer and must not suffer.
  await writeFile(raw, randomBytes(1 << 20));
  await calve.ok('import', raw, 'other', '--onto', 'none');

  const { digest, size } = base.layers[0] ?? assert.fail('the base has no layer');
  const layer = `${calve.store}/blobs/sha256/${digest.slice('sha256:'.length)}`;
  await flip(layer, size >> 1);

  const flat = folder.join('flat.raw');
  for (const args of [
    ['new', 'disk:base', 'third'],
    ['new', 'disk:next', 'third'],
    ['commit', 'upper', '-m', 'eights'],
    ['export', 'disk:base', flat],
    ['export', 'upper', flat],
    ['path', '--check', 'disk:next'],
    ['path', '--check', 'lower'],
  ]) {
    const said = await calve.refuses(...args);
    const names = [digest.slice(7, 19), base.digest.slice(7, 19), next.digest.slice(7, 19)];
    for (const name of [...names, 'disk:base', 'disk:next', 'lower', 'upper']) {
      assert.ok(said.includes(name), `calve ${args.join(' ')} does not name ${name}: ${said}`);
    }
    assert.ok(!said.includes('other'), said);
  }
  assert.ok(!existsSync(flat));
  assert.deepEqual((await calve.ok('ls', '-q')).split('\n').sort(), ['lower', 'upper']);

  const fsck = await calve.run(['fsck']);
  assert.equal(fsck.code, 1, fsck.stdout);
  assert.ok(`${fsck.stdout}${fsck.stderr}`.includes(digest.slice(7, 19)), fsck.stdout);
  await calve.ok('path', '--check', 'other');

  await flip(layer, size >> 1);
  await calve.ok('path', '--check', 'upper');
  await calve.ok('commit', 'upper', '-m', 'eights');
  await calve.ok('fsck');
});
