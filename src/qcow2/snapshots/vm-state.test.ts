import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { succeed } from '../../../test/support/programs.ts';
import { qemuImgCheck } from '../../../test/support/qemu.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { checkQcow2, createQcow2, denyBacking, openQcow2 } from '../index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

/** Lets a virtual machine that does not run do something with its state; resolves to what QEMU printed. */
function inVm(image: string, ...commands: string[]): Promise<string> {
  const machine = ['-accel', 'tcg', '-m', '8', '-S', '-nodefaults', '-no-user-config', '-display', 'none'];
  const drive = `file=${image},format=qcow2,if=virtio`;
  const args = [...machine, '-monitor', 'stdio', '-drive', drive];
  return succeed('qemu-system-x86_64', args, { input: [...commands, 'quit', ''].join('\n') });
}

describe("trap 31: a virtual machine's state above the disk", () => {
  it('is told, kept when the snapshot is gone to and others are deleted, and loaded by QEMU after that', async () => {
    const image = folder.join('vm.qcow2');
    await createQcow2(image, { size: 3 * 2 ** 20 });
    await inVm(image, 'savevm running');
    {
      await using disk = await openQcow2(image, { writable: true, backing: denyBacking });
      const [snapshot] = await disk.snapshots();
      assert.ok((snapshot?.vmStateSize ?? 0) > 100_000, `${snapshot?.vmStateSize}`);
      assert.equal(snapshot?.diskSize, 3 * 2 ** 20);
      await disk.write(Buffer.alloc(500_000, 7), 0);
      await disk.createSnapshot({ name: 'disk alone' });
      await disk.applySnapshot('running');
      assert.equal((await disk.ownExtents(0, disk.size).next()).value?.kind, 'unallocated');
      // With the state above the active disk, as QEMU leaves it, too.
      assert.ok(disk.header.l1Size > 1);
      await disk.createSnapshot({ name: 'with the state under it' });
      await disk.applySnapshot('disk alone');
      await disk.deleteSnapshot('disk alone');
    }
    await qemuImgCheck(image);
    const { corruptions, leaks } = await checkQcow2(image);
    assert.deepEqual([corruptions, leaks], [0, 0]);
    assert.doesNotMatch(await inVm(image, 'loadvm running'), /error|could not/i);
    {
      await using disk = await openQcow2(image, { writable: true, backing: denyBacking });
      await disk.deleteSnapshot('running');
      await disk.deleteSnapshot('with the state under it');
      assert.deepEqual(await disk.snapshots(), []);
    }
    await qemuImgCheck(image);
  });
});
