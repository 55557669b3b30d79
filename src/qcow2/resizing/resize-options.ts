import { CalveError } from '../../errors/index.ts';
import { ENTRY_SIZE, MAX_L1_BYTES } from '../constants.ts';
import type { Preallocation } from '../creating/image-options.ts';
import type { Geometry } from '../geometry.ts';
import type { Qcow2Header } from '../qcow2-header.ts';

/** How a disk's size is changed. */
export interface ResizeOptions {
  /** What lies past a smaller size may be lost (default false: then a disk is not made smaller). */
  readonly shrink?: boolean;
  /** Of what growth adds (default `off`). */
  readonly preallocation?: Preallocation;
  /** Ends preallocation, which leaves the old size. */
  readonly signal?: AbortSignal;
}

/**
 * Checks a new size, ahead of any change.
 * @throws CalveError `out-of-range` for a size, `usage` for what does not go together, with `data.option`; `denied` for a
 *   smaller size without `shrink`; `unsupported` for an image that cannot be resized, with `data.feature`
 */
export function checkResize(
  {
    path,
    header,
    geometry,
  }: { readonly path: string; readonly header: Qcow2Header; readonly geometry: Geometry },
  size: number,
  options: ResizeOptions,
): void {
  const most = Math.min((MAX_L1_BYTES / ENTRY_SIZE) * geometry.tableCovers, Number.MAX_SAFE_INTEGER - 511);
  if (!Number.isSafeInteger(size) || size < 0 || size % 512 !== 0 || size > most) {
    const message = `${path}: size: expected a multiple of 512, at most ${most} with these clusters, got ${size}`;
    throw new CalveError('out-of-range', message, { data: { path, option: 'size', value: size } });
  }
  const refuse = (feature: string, reason: string) => {
    throw new CalveError('unsupported', `${path}: cannot be resized: ${reason}`, { data: { path, feature } });
  };
  if (header.version === 2 && header.snapshotCount > 0) {
    refuse('snapshots', 'version 2 does not say what size the disk had in its internal snapshots');
  }
  const { preallocation = 'off', shrink = false } = options;
  if (preallocation !== 'off' && header.incompatible.has('external data file')) {
    refuse('an external data file', `no preallocation (${preallocation}) of what lies in a file of its own`);
  }
  if (size >= geometry.size) return;
  if (preallocation !== 'off') {
    throw new CalveError('usage', `preallocation: expected off for a smaller size, got ${preallocation}`, {
      data: { path, option: 'preallocation', value: preallocation },
    });
  }
  if (!shrink) {
    const message = `${path}: making the disk smaller, from ${geometry.size} to ${size} bytes, deletes all that lies past its new end`;
    throw new CalveError('denied', message, {
      hint: `say so if nothing there matters: shrink, or qemu-img resize --shrink ${path} ${size}`,
      data: { path, option: 'shrink', size: geometry.size, newSize: size },
    });
  }
}
