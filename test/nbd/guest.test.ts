import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { denyBacking, openQcow2 } from '../../src/qcow2/index.ts';
import { bootGuest } from '../support/guest.ts';
import { findProgram, succeed } from '../support/programs.ts';
import { qemuImgCheck } from '../support/qemu.ts';
import { LONG } from '../support/suite.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { exported, type Served, serve } from './served.ts';

/** An ext4 file system on a whole disk, served for writing. */
async function serveExt4(folder: TemporaryFolder): Promise<Served & { readonly image: string }> {
  const [raw, image] = [folder.join('ext4.raw'), folder.join('ext4.qcow2')];
  await succeed('mke2fs', ['-q', '-F', '-t', 'ext4', raw, '64M']);
  await succeed('qemu-img', ['convert', '-O', 'qcow2', raw, image]);
  const served = await serve([exported(() => openQcow2(image, { writable: true, backing: denyBacking }))]);
  return { ...served, image };
}

test('a guest boots on what is served, writes, and finds it again', async (t) => {
  await using folder = await temporaryFolder();
  let image = '';
  {
    await using served = await serveExt4(folder);
    image = served.image;
    const drive = `-drive file=${served.uri},format=raw,if=virtio,discard=unmap,detect-zeroes=unmap`;
    const began = performance.now();
    const write = 'seq 1 100000 > numbers; sync; md5sum < numbers; fstrim . || true';
    const sum = await bootGuest({ drive, script: write });
    t.diagnostic(`boot to power-off: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    assert.match(sum, /^dea9193b768319cbb4ff1a137ac03113/);
    if (LONG) assert.equal(await bootGuest({ drive, script: 'md5sum < numbers' }), sum);
    assert.deepEqual(served.errors, []);
  }
  const raw = folder.join('after.raw');
  await succeed('qemu-img', ['convert', '-O', 'raw', image, raw]);
  await succeed('e2fsck', ['-fn', raw]);
  const numbers = Array.from({ length: 100_000 }, (_, at) => `${at + 1}\n`).join('');
  assert.equal(await succeed('debugfs', ['-R', 'cat numbers', raw]), numbers);
  await qemuImgCheck(image);
});

/** An appliance is made and booted under TCG, twice: a minute and a half. */
async function guestfishTest(t: TestContext): Promise<void> {
  const program = findProgram('guestfish');
  assert.ok(
    program,
    'guestfish is missing: apt-get install --no-install-recommends libguestfs-tools linux-image-amd64',
  );
  const path = `/${program.slice(1)}` as const;
  await using folder = await temporaryFolder();
  await using served = await serveExt4(folder);
  const env = { LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' };
  // What other programs call nbd+unix, older ones of these call nbd.
  const uri = served.uri.replace('nbd+unix', 'nbd');
  const guestfish = (...args: string[]): Promise<string> =>
    succeed(path, ['--format=raw', '-a', uri, 'run', ':', 'mount', '/dev/sda', '/', ':', ...args], {
      ...{ env, timeout: 300_000 },
    });
  const began = performance.now();
  await guestfish('write', '/letter', 'from libguestfs');
  t.diagnostic(`guestfish: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  const read = ['--ro', '--format=raw', '-a', uri, '-m', '/dev/sda', 'cat', '/letter'];
  assert.equal(await succeed(path, read, { env, timeout: 300_000 }), 'from libguestfs\n');
  assert.deepEqual(served.errors, []);
}

if (LONG) test('libguestfs looks into what is served', guestfishTest);
