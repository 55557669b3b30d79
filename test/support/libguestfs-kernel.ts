import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fixture } from './fixture.ts';

/**
 * Has libguestfs make its virtual machine of the tests' own kernel, whatever this machine has in /boot, and without KVM.
 * supermin(1), "ENVIRONMENT VARIABLES".
 */
export async function useOwnKernel(): Promise<void> {
  const guest = await fixture('guest');
  process.env['SUPERMIN_KERNEL'] = join(guest, 'vmlinuz');
  process.env['SUPERMIN_KERNEL_VERSION'] = (await readFile(join(guest, 'version'), 'utf8')).trim();
  process.env['SUPERMIN_MODULES'] = join(guest, 'modules');
  process.env['LIBGUESTFS_BACKEND_SETTINGS'] ??= 'force_tcg';
  // Which a machine without a kernel lacks, and supermin wants to see, wherever the modules lie.
  await mkdir('/lib/modules', { recursive: true });
}
