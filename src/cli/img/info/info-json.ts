import type { Snapshot } from '../../../qcow2/index.ts';
import type { Json } from '../printing/json-text.ts';
import type { ImageInfo } from './image-info.ts';

/** An image's information as `--output=json` has it. */
export function infoJson(info: ImageInfo): Json {
  return {
    filename: info.filename,
    format: info.format,
    'virtual-size': info.virtualSize,
    'actual-size': info.actualSize,
    'cluster-size': info.clusterSize,
    encrypted: info.isEncrypted || undefined,
    'dirty-flag': info.isDirty,
    'backing-filename': info.backingFile,
    'full-backing-filename': info.fullBackingFile,
    'backing-filename-format': info.backingFormat,
    snapshots: info.snapshots.length > 0 ? info.snapshots.map(snapshotJson) : undefined,
    'format-specific': info.formatSpecific,
  };
}

function snapshotJson(snapshot: Snapshot): Json {
  const { id, name, vmStateSize, date, vmClock, icount, dateNanoseconds } = snapshot;
  return {
    id,
    name,
    'vm-state-size': vmStateSize,
    'date-sec': Math.floor(date.getTime() / 1000),
    'date-nsec': dateNanoseconds,
    'vm-clock-sec': vmClock / 1_000_000_000n,
    'vm-clock-nsec': vmClock % 1_000_000_000n,
    icount,
  };
}
