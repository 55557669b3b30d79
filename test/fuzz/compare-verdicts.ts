import { writeFile } from 'node:fs/promises';
import type { CheckReport } from '../../src/qcow2/index.ts';
import { type QemuCounts, qemuCounts } from '../support/qemu-check.ts';
import { explain } from './disagreements.ts';
import type { Mutant } from './mutate.ts';

/** How calve's check and QEMU's compare. */
export type Comparison =
  /** Both refuse the image, or both count the same. */
  | { readonly kind: 'same' }
  /** One of them does not get to the end of a check. */
  | { readonly kind: 'refused'; readonly by: 'calve' | 'QEMU' }
  | { readonly kind: 'explained'; readonly reason: string }
  | { readonly kind: 'unexplained'; readonly what: string };

/** Lets QEMU check a mutant, as a file in a folder where its base and data files are. */
export async function compareVerdicts(
  mutant: Mutant,
  report: CheckReport | undefined,
  folder: string,
  name: string,
): Promise<Comparison> {
  const path = `${folder}/${name}`;
  await writeFile(path, mutant.bytes);
  const counts = await qemuCounts(path);
  if (!report || !counts) {
    if (!report && !counts) return { kind: 'same' };
    return { kind: 'refused', by: report ? 'QEMU' : 'calve' };
  }
  if (isSame(report, counts)) return { kind: 'same' };
  const reason = explain(report, counts, mutant);
  if (reason !== undefined) return { kind: 'explained', reason };
  const { corruptions, leaks, checkErrors } = report;
  const ours = JSON.stringify({ corruptions, leaks, checkErrors });
  const theirs = JSON.stringify(counts);
  return {
    kind: 'unexplained',
    what: `calve counts ${ours}, QEMU ${theirs}: ${JSON.stringify(report.findings.slice(0, 5))}`,
  };
}

function isSame(report: CheckReport, counts: QemuCounts): boolean {
  return (
    report.corruptions === counts.corruptions &&
    report.leaks === counts.leaks &&
    report.checkErrors === counts.checkErrors
  );
}
