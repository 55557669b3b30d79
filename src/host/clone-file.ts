import { errnoOf } from '../errors/index.ts';
import { libcIfAny } from './libc.ts';

/** ioctl_ficlone(2) says so where the two files cannot share blocks. */
const NO_REFLINKS = ['ENOTSUP', 'EXDEV', 'EINVAL', 'ENOTTY', 'ENOSYS'];

/** Makes the whole of one file share the blocks of another; false where the file system cannot. */
export function cloneFile(sourceFd: number, targetFd: number): boolean {
  const library = libcIfAny();
  if (!library) return false;
  try {
    library.clone(targetFd, sourceFd);
    return true;
  } catch (error) {
    if (NO_REFLINKS.includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
