import type { CheckReport } from '../../../qcow2/index.ts';
import { fixed } from '../printing/fixed.ts';
import type { Json } from '../printing/json-text.ts';

/** What a check comes to, for people. */
export function reportLines(report: CheckReport): string[] {
  const { corruptions, leaks, checkErrors, imageEndOffset } = report;
  const lines: string[] = [];
  if (corruptions + leaks + checkErrors === 0) lines.push('No errors were found on the image.');
  if (corruptions > 0) {
    lines.push('', `${corruptions} errors were found on the image.`);
    lines.push('Data may be corrupted, or further writes to the image may corrupt it.');
  }
  if (leaks > 0) {
    lines.push('', `${leaks} leaked clusters were found on the image.`);
    lines.push('This means waste of disk space, but no harm to data.');
  }
  if (checkErrors > 0) lines.push('', `${checkErrors} internal errors have occurred during the check.`);
  const { totalClusters, allocatedClusters } = report;
  if (totalClusters > 0 && allocatedClusters > 0) {
    const percent = (count: number, all: number) => `${fixed((count * 100) / all, 2)}%`;
    lines.push(
      `${allocatedClusters}/${totalClusters} = ${percent(allocatedClusters, totalClusters)} allocated, ` +
        `${percent(report.fragmentedClusters, allocatedClusters)} fragmented, ` +
        `${percent(report.compressedClusters, allocatedClusters)} compressed clusters`,
    );
  }
  if (imageEndOffset > 0) lines.push(`Image end offset: ${imageEndOffset}`);
  return lines;
}

/** The same as QEMU's ImageCheck: what is 0 is left out, but for the errors. */
export function reportJson(report: CheckReport, filename: string, format: string): Json {
  const some = (count: number) => (count > 0 ? count : undefined);
  return {
    filename,
    format,
    'check-errors': report.checkErrors,
    'image-end-offset': some(report.imageEndOffset),
    corruptions: some(report.corruptions),
    leaks: some(report.leaks),
    'corruptions-fixed': some(report.corruptionsFixed),
    'leaks-fixed': some(report.leaksFixed),
    'total-clusters': some(report.totalClusters),
    'allocated-clusters': some(report.allocatedClusters),
    'fragmented-clusters': some(report.fragmentedClusters),
    'compressed-clusters': some(report.compressedClusters),
  };
}

/** What a repair mended, ahead of what is left; nothing where it mended nothing. */
export function repairedLines({ corruptionsFixed, leaksFixed }: CheckReport): string[] {
  if (corruptionsFixed + leaksFixed === 0) return [];
  return [
    'The following inconsistencies were found and repaired:',
    '',
    `    ${leaksFixed} leaked clusters`,
    `    ${corruptionsFixed} corruptions`,
    '',
    'Double checking the fixed image now...',
  ];
}
