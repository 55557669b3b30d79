import type { CheckFinding, CheckReport } from '../../../qcow2/index.ts';

/** What a check found, a line each, in the words of qemu-img where it has some. */
export function findingLines(report: CheckReport, clusterSize: number): string[] {
  const stored = new Map<number | undefined, number>();
  for (const { kind, hostOffset, refcount } of report.findings) {
    if (refcount) stored.set(hostOffset, refcount.stored);
    // No refcount is kept for what is not there.
    else if (kind === 'past-end') stored.set(hostOffset, 0);
  }
  const lines = report.findings
    .filter(({ severity }) => severity !== 'note')
    .map((finding) => lineOf(finding, clusterSize, stored));
  if (report.findingsLeftOut > 0) lines.push(`... and ${report.findingsLeftOut} more`);
  return lines;
}

/** What a repair mended of it. */
export function repairLines(before: CheckReport, clusterSize: number): string[] {
  return before.findings
    .filter(({ refcount }) => refcount !== undefined)
    .map((finding) => `Repairing ${refcountText(finding, clusterSize)}`);
}

function lineOf(
  finding: CheckFinding,
  clusterSize: number,
  stored: ReadonlyMap<number | undefined, number>,
): string {
  const { kind, hostOffset = 0, structure, expected, got, l1Index, guestOffset } = finding;
  if (kind === 'leak') return `Leaked ${refcountText(finding, clusterSize)}`;
  if (kind === 'refcount-too-low') return `ERROR ${refcountText(finding, clusterSize)}`;
  if (kind === 'past-end') {
    const [length = ''] = /^\d+/.exec(expected) ?? [];
    const place = `offset 0x${hostOffset.toString(16)} size 0x${Number(length).toString(16)}`;
    return `ERROR: counting reference for region exceeding the end of the file by one cluster or more: ${place}`;
  }
  if (kind === 'refcount-overflow') {
    const hint =
      'Use qemu-img amend to increase the refcount entry width or qemu-img convert to create a clean copy if the image cannot be opened for writing';
    return `ERROR: overflow cluster offset=0x${hostOffset.toString(16)}\n${hint}`;
  }
  if (kind === 'copied-wrong') {
    const isCopied = expected !== 'COPIED';
    // Where nobody counted otherwise, a flag without need is that of a cluster that is shared.
    const refcount = stored.get(hostOffset) ?? (isCopied ? 2 : 1);
    if (structure === 'L2 table') {
      const entry = (BigInt(hostOffset) | (isCopied ? 1n << 63n : 0n)).toString(16);
      return `ERROR OFLAG_COPIED L2 cluster: l1_index=${l1Index} l1_entry=${entry} refcount=${refcount}`;
    }
    return `ERROR OFLAG_COPIED data cluster: l2_entry=${got.replace(/^0x/, '')} refcount=${refcount}`;
  }
  const where = guestOffset === undefined ? '' : ` of guest offset 0x${guestOffset.toString(16)}`;
  return `ERROR ${kind.replaceAll('-', ' ')}${where}: expected ${expected}, got ${got}`;
}

function refcountText({ hostOffset = 0, refcount }: CheckFinding, clusterSize: number): string {
  return `cluster ${hostOffset / clusterSize} refcount=${refcount?.stored} reference=${refcount?.counted}`;
}
