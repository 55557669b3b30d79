import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  appendFile,
  chmod,
  copyFile,
  cp,
  open,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { test } from 'node:test';
import { type FsckReport, openStore, type VersionInfo } from '../../src/store/index.ts';
import { assertBlobsUntouched, layerPaths } from '../support/blobs.ts';
import { commandLine } from '../support/calve.ts';
import { qemuIo } from '../support/qemu.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** What a person, a script or a disk can do to a base behind calve's back, and a command that would use it then. */
const harms: readonly (readonly [string, (path: string, other: string) => Promise<unknown>, string[]])[] = [
  ['a write by QEMU', (path) => qemuIo(path, ['write -P 5 64k 64k']), ['new', 'disk:next', 'fresh']],
  ['a flipped byte, its time set back', flip, ['commit', 'upper', '-m', 'eights']],
  [
    'truncation',
    async (path) => truncate(path, (await stat(path)).size - 512),
    ['export', 'upper', '{flat}'],
  ],
  ['another file renamed over it', replace, ['diff', '--blocks', 'disk:next', 'other']],
  ['deletion', (path) => rm(path), ['path', '--check', 'upper']],
  ['chmod and more bytes', append, ['path', '--drive', 'disk:next']],
  ['an older file put back', putBack, ['reset', 'lower']],
  ['a swap with another layer', swap, ['tag', 'disk:next', 'again']],
];

test('eight ways to harm a base: each is refused before it is used, and mended by fsck --repair --from', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const raw = folder.join('disk.raw');
  await writeFile(raw, randomBytes(1 << 20));
  await calve.ok('import', raw, 'disk:base', '-m', 'base');
  await calve.ok('new', 'disk:base', 'lower');
  await calve.ok('new', 'disk:base', 'upper');
  const overlay = await calve.ok('path', 'upper');
  await qemuIo(overlay, ['write -P 7 64k 64k']);
  await calve.ok('commit', 'upper', '-m', 'sevens', '-t', 'disk:next');
  await qemuIo(overlay, ['write -P 8 128k 64k']);
  await writeFile(raw, randomBytes(1 << 20));
  await calve.ok('import', raw, 'other');
  const versions = await calve.json<VersionInfo[]>('log', 'disk:next');
  const other = await calve.ok('path', 'other');
  const path = await calve.ok('path', 'disk:base');
  const copy = folder.join('copy');
  await cp(calve.store, copy, { recursive: true, preserveTimestamps: true });
  const layers = await layerPaths(calve.store);
  const store = await openStore(calve.store);

  for (const [harm, inflict, use] of harms) {
    await inflict(path, other);
    const said = await calve.refuses(...use.map((word) => word.replace('{flat}', folder.join('flat'))));
    const names = [path.slice(-64), ...versions.map(({ digest }) => digest.slice(7, 19))];
    for (const name of [...names, 'disk:base', 'disk:next', 'lower', 'upper']) {
      assert.ok(said.includes(name), `after ${harm}, calve ${use.join(' ')} does not name ${name}: ${said}`);
    }
    // The command line once, for what it costs to start; its library for the others.
    const { mended, problems } =
      inflict === swap
        ? await calve.json<FsckReport>('fsck', '--repair', '--from', copy)
        : await store.repair({ from: copy });
    assert.deepEqual(problems, [], harm);
    assert.ok(
      mended.some(({ where }) => where === `sha256:${path.slice(-64)}`),
      harm,
    );
    await assertBlobsUntouched(layers);
  }
  await calve.ok('commit', 'upper', '-m', 'eights');
  await calve.ok('fsck');
});

async function flip(path: string): Promise<void> {
  const before = await stat(path);
  {
    await using file = await open(path, 'r+');
    const { buffer } = await file.read({ buffer: Buffer.alloc(1), position: before.size >> 1 });
    await file.write(Buffer.from([(buffer[0] ?? 0) ^ 1]), 0, 1, before.size >> 1);
  }
  await utimes(path, before.atime, before.mtime);
}

async function replace(path: string): Promise<void> {
  await copyFile(path, `${path}.new`);
  await flip(`${path}.new`);
  await rename(`${path}.new`, path);
}

async function append(path: string): Promise<void> {
  await chmod(path, 0o644);
  await appendFile(path, 'more');
  await chmod(path, 0o444);
}

/** `cp -p` of another layer. */
async function putBack(path: string, other: string): Promise<void> {
  await rm(path);
  await cp(other, path, { preserveTimestamps: true });
}

async function swap(path: string, other: string): Promise<void> {
  await rename(path, `${path}.away`);
  await rename(other, path);
  await rename(`${path}.away`, other);
}
