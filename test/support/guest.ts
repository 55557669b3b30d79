import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fixture } from './fixture.ts';
import { report, run } from './programs.ts';

const OPTION = '-drive ';

/** What a guest boots with. */
export interface Boot {
  /** Its only disk: the path of a qcow2 image, or QEMU's whole option. */
  readonly drive: string;
  /** Where the file system (ext4) lies, as the guest calls it (default `/dev/vda`: on the whole disk). */
  readonly device?: string;
  /** What its shell runs in the file system's root; it must exit 0. */
  readonly script: string;
}

/** Boots a Linux guest under TCG, runs the script, unmounts and powers off; resolves to what the script printed. */
export async function bootGuest({ drive, device = '/dev/vda', script }: Boot): Promise<string> {
  const guest = await fixture('guest');
  const words = [
    'console=ttyS0',
    'quiet',
    'panic=-1',
    `calve.device=${device}`,
    `calve.script=${Buffer.from(script).toString('base64')}`,
  ];
  const kernelLine = words.join(' ');
  assert.ok(kernelLine.length < 2048, 'the kernel cuts its command line at 2048 bytes');
  const ran = await run('qemu-system-x86_64', [
    ...['-accel', 'tcg', '-m', '256', '-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
    ...['-kernel', join(guest, 'vmlinuz'), '-initrd', join(guest, 'initrd'), '-append', kernelLine],
    '-drive',
    drive.startsWith(OPTION)
      ? drive.slice(OPTION.length)
      : `file=${drive.replaceAll(',', ',,')},format=qcow2,if=virtio`,
  ]);
  assert.equal(ran.code, 0, report(ran));
  const [, printed, status] = /<<<calve\r?\n(.*)calve>>> (\d+)/s.exec(ran.stdout) ?? [];
  assert.equal(status, '0', report(ran));
  return printed ?? '';
}
