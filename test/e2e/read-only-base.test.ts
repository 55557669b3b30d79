import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { sha256File } from '../support/blobs.ts';
import { commandLine } from '../support/calve.ts';
import { bootGuest } from '../support/guest.ts';
import { succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

test('a guest that boots from a version cannot write to it, whatever it tries', async () => {
  await using folder = await temporaryFolder();
  const calve = commandLine(folder.join('store'));
  const disk = folder.join('ext4.raw');
  await succeed('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '16M']);
  await calve.ok('import', disk, 'ext4');
  const path = await calve.ok('path', 'ext4');
  const before = await stat(path, { bigint: true });

  // The file system was mounted read-only, for the kernel knows the disk to be so; then it is told that it is not.
  const printed = await bootGuest({
    drive: await calve.ok('path', 'ext4', '--drive'),
    script: `
      cat /sys/block/vda/ro
      echo file 2>&1 >new || echo refused a file
      mount -o remount,rw /disk 2>&1 || echo refused a remount
      write() { dd if=/dev/zero of=/dev/vda bs=4096 seek=100 count=1 conv=fsync 2>&1; }
      write || echo refused a block
      blockdev --setrw /dev/vda; cat /sys/block/vda/ro
      write || echo refused a block of a disk that is said to be writable
      true
    `,
  });
  assert.match(printed, /^1\n/m, printed);
  assert.match(printed, /Read-only file system\s+refused a file/, printed);
  assert.match(printed, /refused a remount/, printed);
  assert.match(printed, /refused a block\n/, printed);
  assert.match(printed, /refused a block of a disk that is said to be writable/, printed);

  const after = await stat(path, { bigint: true });
  assert.deepEqual([after.ctimeNs, after.mtimeNs, after.ino], [before.ctimeNs, before.mtimeNs, before.ino]);
  assert.ok(path.endsWith(`/${await sha256File(path)}`));
  await calve.ok('path', '--check', 'ext4');
});
