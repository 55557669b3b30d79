import { CalveError } from '../errors/index.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/**
 * Refuses what a header is right to ask for and the engine cannot do, and writing to what must be mended first (trap
 * 10).
 * @throws CalveError `unsupported`, with `data.feature`; `corrupt` for writing to an image that says so
 */
export function refuseUnsupported(header: Qcow2Header, path: string, writable: boolean): void {
  const refuse = (feature: string) => {
    throw new CalveError('unsupported', `${path} needs ${feature}, which is not supported yet`, {
      data: { path, feature },
    });
  };
  if (header.incompatible.has('external data file')) refuse('an external data file');
  if (header.incompatible.has('extended L2 entries')) refuse('extended L2 entries');
  if (!writable) return;
  const mend = (feature: string, reason: string) => {
    throw new CalveError('corrupt', `${path}: ${reason}; it can be read, and written once it is repaired`, {
      hint: `qemu-img check -r all ${path}`,
      data: { path, feature },
    });
  };
  if (header.incompatible.has('corrupt')) mend('corrupt', 'the image is marked corrupt');
  if (header.incompatible.has('dirty'))
    mend('dirty', 'the image was not closed and its refcounts may be wrong');
}

/** What somebody who reads the image should hear about it. */
export function warningsOf(header: Qcow2Header, path: string): string[] {
  return header.incompatible.has('corrupt') ? [`${path} is marked corrupt: what it reads may be wrong`] : [];
}
