import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { commandLine } from '../support/calve.ts';
import { report, succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('adopt shows what stands on what, says why a file was refused, and then exits 1', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const vms = folder.join('vms');
  await mkdir(vms);
  const create = (name: string, ...about: string[]) =>
    succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...about, `${vms}/${name}`, '1M']);
  await create('debian.qcow2');
  await create('shop.qcow2', '-F', 'qcow2', '-b', 'debian.qcow2');
  assert.equal(
    await calve.ok('adopt', '--dry-run', vms),
    [
      'FILE          BECOMES                STATE    STORED',
      'debian.qcow2  version debian:latest  planned       -',
      '  shop.qcow2  env shop               planned       -',
    ].join('\n'),
  );
  await create('evil.qcow2', '-u', '-F', 'raw', '-b', '/etc/passwd');
  const ran = await calve.run(['adopt', '-q', vms]);
  assert.equal(ran.code, 1, report(ran));
  assert.equal(ran.stdout, 'debian:latest\nshop\n');
  assert.match(
    ran.stderr,
    /^warning: refused evil.qcow2: .*names \/etc\/passwd.*hint: calve adopt --follow .*\n$/,
  );
});

test('import reads a passphrase from a file, and says what came along', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  await writeFile(folder.join('base.raw'), Buffer.alloc(1 << 20, 'x'));
  const overlay = folder.join('overlay.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', 'base.raw', overlay]);
  const imported = await calve.run(['import', '--chain', overlay]);
  assert.equal(imported.code, 0, report(imported));
  assert.match(imported.stderr, /^below it: [0-9a-f]{12}, base\.raw, .* stored\nimported overlay\.qcow2/m);
  assert.match(await calve.refuses('import', overlay, 'again'), /hint: calve import --chain/);

  const secret = ['--object', 'secret,id=key,data=abc', '-o', 'encrypt.format=aes,encrypt.key-secret=key'];
  const locked = folder.join('locked.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...secret, locked, '1M']);
  assert.match(
    await calve.refuses('import', locked),
    /is encrypted \(aes\)\nhint: calve import --secret-file/,
  );
  await writeFile(folder.join('secret'), 'abc');
  await calve.ok('import', '--secret-file', folder.join('secret'), locked);
  assert.match(
    await calve.refuses('import', '--secret-file', folder.join('none'), locked),
    /cannot read .*none/,
  );
});
