import type { ImageFile } from '../image-file.ts';
import { checkCopied } from './check-copied.ts';
import type { CheckReport } from './check-report.ts';
import { compareWindow } from './compare-window.ts';
import { countWindow } from './count-window.ts';
import type { FindingKind } from './finding.ts';
import { FragmentCounts } from './fragment-counts.ts';
import { type Survey, surveyImage } from './survey.ts';
import { windowsOf } from './windows.ts';

/** How an image is checked. */
export interface InspectOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as the work goes on, with L2 tables done and all there are. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  /**
   * Bytes for reference counts, 6.25 a host cluster (default 64 MiB). An image with more clusters than that is gone
   * through once for each part of it.
   */
  readonly refcountMemory?: number | undefined;
  /** How many findings to list (default 1000); all are counted. */
  readonly maxFindings?: number | undefined;
}

/** What an inspection leads to. */
export interface Inspection {
  readonly survey: Survey;
  readonly report: CheckReport;
  /** The refcount structures are not where refcounts can be mended: a block is missing, misplaced or in the way. */
  readonly needsRebuild: boolean;
  /** Something that leads to clusters cannot be followed: what looks like a leak may be what it leads to. */
  readonly losesTrack: boolean;
}

/** Bytes for reference counts, if nothing else is said. */
export const REFCOUNT_MEMORY: number = 64 * 1024 ** 2;
const MAX_FINDINGS = 1000;

const REFCOUNT_STRUCTURES: readonly FindingKind[] = [
  'refcount-table-past-end',
  'refcount-table-reserved-bits',
  'refcount-block-unaligned',
  'refcount-block-past-end',
  'refcount-block-shared',
];

const LEADS_ASTRAY: readonly FindingKind[] = [
  'l2-table-nowhere',
  'l2-table-unaligned',
  'cluster-unaligned',
  'compressed-in-data-file',
  'compressed-subclusters',
  'subclusters-nowhere',
  'past-end',
  'snapshot-l1-unaligned',
  'snapshot-l1-too-large',
  'snapshot-table-unreadable',
  'bitmap-directory-invalid',
  'bitmap-table-entry-invalid',
  'encryption-header-invalid',
];

/** Reads an image's bookkeeping from end to end and changes nothing. */
export async function inspectImage(file: ImageFile, options: InspectOptions = {}): Promise<Inspection> {
  const { signal, onProgress, refcountMemory = REFCOUNT_MEMORY, maxFindings = MAX_FINDINGS } = options;
  const survey = await surveyImage(file, { maxFindings, signal });
  const { geometry, log, header, l2 } = survey;
  const fragments = new FragmentCounts();
  // One cluster more than the file has: unaligned entries can reach it.
  const windows = windowsOf(geometry.clusters + 1, refcountMemory);
  const total = l2.followed.length * windows.length;
  let highest = 0;
  let lacksBlock = false;
  let refcountsOverlap = false;
  let copiedWrong = false;
  for (const [index, window] of windows.entries()) {
    const before = index * l2.followed.length;
    const onTables = (done: number) => onProgress?.({ done: before + done, total });
    const tells = index === 0;
    const { counts, strays } = await countWindow(survey, { window, tells, fragments, signal, onTables });
    const compared = await compareWindow(survey, counts, signal);
    highest = Math.max(highest, compared.highest);
    lacksBlock ||= compared.lacksBlock;
    refcountsOverlap ||= compared.refcountsOverlap;
    copiedWrong ||= compared.copiedWrong || strays;
  }
  if (copiedWrong) await checkCopied(survey, refcountMemory, signal);
  const report: CheckReport = {
    corruptions: log.total('corruption'),
    leaks: log.total('leak'),
    checkErrors: log.total('error'),
    corruptionsFixed: 0,
    leaksFixed: 0,
    totalClusters: Math.ceil(header.size / header.clusterSize),
    allocatedClusters: fragments.allocated,
    fragmentedClusters: fragments.fragmented,
    compressedClusters: fragments.compressed,
    imageEndOffset: (highest + 1) * header.clusterSize,
    findings: log.findings,
    findingsLeftOut: log.leftOut,
  };
  return {
    survey,
    report,
    needsRebuild: lacksBlock || refcountsOverlap || log.countAll(REFCOUNT_STRUCTURES) > 0,
    losesTrack: log.countAll(LEADS_ASTRAY) > 0,
  };
}
