import type { CalveError } from '../../../errors/index.ts';
import { imgError } from '../img-error.ts';

/** What QEMU 7.2 has drivers for and calve has not, by QEMU's names: whoever wants them is handed to qemu-img itself. */
const FOREIGN: ReadonlySet<string> = new Set(
  (
    'blkdebug blklogwrites blkverify bochs cloop compress copy-before-write copy-on-read dmg ftp ftps gluster ' +
    'host_cdrom host_device http https iscsi iser luks nfs null-aio nvme parallels preallocate qcow qed quorum rbd ' +
    'replication snapshot-access ssh throttle vdi vhdx vmdk vpc vvfat'
  ).split(' '),
);

/** What this program has drivers for. */
const OURS: ReadonlySet<string> = new Set(['raw', 'qcow2', 'file', 'nbd', 'null-co']);

/** Whether a driver is one of QEMU's that is not built here. */
export function isForeign(driver: string): boolean {
  return FOREIGN.has(driver);
}

/** Whether a driver is built here. */
export function isOurs(driver: string): boolean {
  return OURS.has(driver);
}

/**
 * That a format or protocol is left to an installed qemu-img, to which `runImg` then hands the whole command line: so it
 * must be thrown before anything is changed.
 */
export function foreignFormat(driver: string): CalveError {
  const error = imgError(`'${driver}' images need QEMU's own qemu-img, which is not installed`, {
    code: 'unsupported',
    more: 'hint: apt-get install qemu-utils (Debian, Ubuntu), dnf install qemu-img (Fedora)',
  });
  foreign.add(error);
  return error;
}

const foreign = new WeakSet<Error>();

/** Whether an error, or one that it stands for, is that of `foreignFormat`. */
export function isForeignFormat(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (foreign.has(at)) return true;
  return false;
}
