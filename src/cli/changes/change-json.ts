import type { DiskDifference, FileFacts } from '../../store/index.ts';
import { bytesJson, timeJson } from '../guest-file-json.ts';
import type { Unsaved } from './unsaved.ts';

const SLASH = Buffer.from('/');

type FileDifference = Extract<DiskDifference, { what: 'file' }>;

/** A file that changed, as `docs/json.md` has it. */
export function fileChangeJson({ volume, change }: FileDifference): Record<string, unknown> {
  const { kind, path, oldPath, before, after, aspects } = change;
  const whole = (at: Buffer): Buffer => Buffer.concat([SLASH, at]);
  return {
    kind,
    partition: volume.number,
    logicalVolume: volume.logicalVolume,
    ...bytesJson('path', whole(path)),
    ...bytesJson('oldPath', oldPath === null ? null : whole(oldPath)),
    aspects,
    before: before === null ? null : factsJson(before),
    after: after === null ? null : factsJson(after),
  };
}

/** What differs and is no file: a partition that one side has, or blocks. */
export function partitionChangeJson(
  difference: Exclude<DiskDifference, FileDifference>,
): Record<string, unknown> {
  const { volume, bytes } = difference;
  return {
    kind: difference.what === 'blocks' ? 'modified' : difference.kind,
    partition: volume.number,
    logicalVolume: volume.logicalVolume,
    holds: volume.kind,
    label: volume.label,
    bytes,
  };
}

/** What an environment holds that is saved in no version; null where that cannot be told. */
export function unsavedJson(unsaved: Unsaved | null): Record<string, unknown> | null {
  if (unsaved === null || typeof unsaved === 'string') return null;
  const { count, bytes, changes, largest, other } = unsaved;
  return {
    count,
    bytes,
    ...changes,
    largest: largest.map(fileChangeJson),
    partitions: other.map(partitionChangeJson),
  };
}

function factsJson({ number, type, mode, uid, gid, size, mtime }: FileFacts): Record<string, unknown> {
  return { inode: number, type, mode, uid, gid, size, mtime: timeJson(mtime) };
}
