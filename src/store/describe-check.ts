import type { CheckReport } from '../qcow2/index.ts';

/**
 * What a check says against an image: `2 corruptions, 1 leak (refcount-too-low at 65536: expected 1, got 0)`;
 * undefined when it says nothing.
 * @param what `damage` passes over leaks, which are space that nobody can use and nothing worse
 */
export function describeCheck(report: CheckReport, what: 'all' | 'damage'): string | undefined {
  const leaks = what === 'all' ? report.leaks : 0;
  if (report.corruptions + report.checkErrors + leaks === 0) return undefined;
  const counts = [
    counted(report.corruptions, 'corruption'),
    counted(report.checkErrors, 'part that cannot be checked', 'parts that cannot be checked'),
    counted(leaks, 'leak'),
  ].filter((text) => text !== '');
  const [finding] = report.findings.filter(({ severity }) => severity !== 'note');
  if (finding === undefined) return counts.join(', ');
  const { kind, hostOffset, expected, got } = finding;
  const at = hostOffset === undefined ? '' : ` at ${hostOffset}`;
  return `${counts.join(', ')} (${kind}${at}: expected ${expected}, got ${got})`;
}

function counted(count: number, one: string, many = `${one}s`): string {
  if (count === 0) return '';
  return `${count} ${count === 1 ? one : many}`;
}
