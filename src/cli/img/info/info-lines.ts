import { formatSpecificLines } from '../printing/format-specific.ts';
import { humanSize } from '../printing/human-size.ts';
import type { ImageInfo } from './image-info.ts';
import { snapshotLines } from './snapshot-lines.ts';

/** An image's information for people. */
export function infoLines(info: ImageInfo): string[] {
  const { actualSize, virtualSize, backingFile, fullBackingFile, formatSpecific } = info;
  return [
    `image: ${info.filename}`,
    `file format: ${info.format}`,
    `virtual size: ${humanSize(virtualSize)} (${virtualSize} bytes)`,
    `disk size: ${actualSize === undefined ? 'unavailable' : humanSize(actualSize)}`,
    ...(info.isEncrypted ? ['encrypted: yes'] : []),
    ...(info.clusterSize === undefined ? [] : [`cluster_size: ${info.clusterSize}`]),
    ...(info.isDirty === true ? ['cleanly shut down: no'] : []),
    ...(backingFile === undefined
      ? []
      : [`backing file: ${backingFile}${seenFrom(backingFile, fullBackingFile)}`]),
    ...(info.backingFormat === undefined ? [] : [`backing file format: ${info.backingFormat}`]),
    ...(info.snapshots.length > 0 ? snapshotLines(info.snapshots) : []),
    ...(formatSpecific === undefined
      ? []
      : ['Format specific information:', ...formatSpecificLines(formatSpecific.data)]),
  ];
}

function seenFrom(name: string, full: string | undefined): string {
  if (full === undefined) return ' (cannot determine actual path)';
  return full === name ? '' : ` (actual path: ${full})`;
}
