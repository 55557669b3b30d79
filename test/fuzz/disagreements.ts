import type { CheckReport, FindingKind } from '../../src/qcow2/index.ts';
import type { QemuCounts } from '../support/qemu-check.ts';
import type { Mutant } from './mutate.ts';

/** Why calve's check and QEMU's 7.2 may count differently, and when that is so. */
interface Disagreement {
  readonly reason: string;
  readonly explains: (report: CheckReport, counts: QemuCounts, mutant: Mutant) => boolean;
}

const finds =
  (...kinds: FindingKind[]) =>
  ({ findings }: CheckReport): boolean =>
    findings.some(({ kind }) => kinds.includes(kind));

/** Every reason that is known; each leaves the verdict as grave as QEMU's. */
const DISAGREEMENTS: readonly Disagreement[] = [
  {
    reason: 'QEMU reads as an L2 table what starts inside of a cluster, or lies in the header',
    explains: (report, counts) =>
      counts.corruptions > 0 &&
      report.corruptions > 0 &&
      finds('l2-table-nowhere', 'l1-reserved-bits', 'l2-table-unaligned')(report),
  },
  {
    reason: 'calve reads no bitmap directory in which a table lies past 2^53, QEMU the other bitmaps of it',
    explains: (report, counts) =>
      counts.corruptions > 0 &&
      report.findings.some(
        ({ kind, expected }) =>
          kind === 'bitmap-directory-invalid' && expected === 'a table that ends below 2^53',
      ),
  },
];

/** The reason for which the counts differ; undefined when none is known. */
export function explain(report: CheckReport, counts: QemuCounts, mutant: Mutant): string | undefined {
  return DISAGREEMENTS.find(({ explains }) => explains(report, counts, mutant))?.reason;
}
