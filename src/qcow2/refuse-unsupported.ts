import { CalveError } from '../errors/index.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/**
 * Refuses writing to what somebody must look at first (trap 10), and to what cannot be written without harm.
 * @throws CalveError `corrupt`, with `data.feature`
 */
export function refuseUnsupported(header: Qcow2Header, path: string, writable: boolean): void {
  if (!writable) return;
  if (header.incompatible.has('corrupt')) {
    throw new CalveError(
      'corrupt',
      `${path}: the image is marked corrupt; it can be read, and written once it is repaired`,
      { hint: `qemu-img check -r all ${path}`, data: { path, feature: 'corrupt' } },
    );
  }
  if (header.incompatible.has('external data file') && header.snapshotCount > 0) {
    // A snapshot and the active disk would have one and the same place for each cluster (trap 22).
    throw new CalveError(
      'corrupt',
      `${path}: expected no snapshots beside a data file, got ${header.snapshotCount}`,
      {
        hint: `qemu-img snapshot -d NAME ${path}`,
        data: { path, feature: 'snapshots' },
      },
    );
  }
}

/** What somebody who reads the image should hear about it. */
export function warningsOf(header: Qcow2Header, path: string): string[] {
  return header.incompatible.has('corrupt') ? [`${path} is marked corrupt: what it reads may be wrong`] : [];
}
