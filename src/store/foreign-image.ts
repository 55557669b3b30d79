import type { HostFile } from '../host/index.ts';

/** What qemu-img is to read: an open file, and those that it names, all locked and checked. */
export interface ForeignImage extends AsyncDisposable {
  readonly file: HostFile;
}
