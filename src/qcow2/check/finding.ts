import type { Structure } from './structure.ts';

/** How grave a finding is: three of QEMU's counts, and `note` for what QEMU's check passes over in silence. */
export type Severity = 'corruption' | 'leak' | 'error' | 'note';

/** Every kind of finding. */
export const FINDINGS = {
  /** L1 entry: bits that the specification reserves are set. */
  'l1-reserved-bits': 'corruption',
  /** L1 entry: the L2 table does not start at a cluster. */
  'l2-table-unaligned': 'corruption',
  /** L1 entry: COPIED, of no L2 table. */
  'l2-table-nowhere': 'corruption',
  /** L2 entry: bits that the specification reserves are set. */
  'l2-reserved-bits': 'corruption',
  /** L2 entry: the cluster does not start at a cluster. */
  'cluster-unaligned': 'corruption',
  /** L2 entry: COPIED on a compressed cluster. */
  'compressed-copied': 'corruption',
  /** L2 entry: compressed, in an image with a data file. */
  'compressed-in-data-file': 'corruption',
  /** L2 entry: compressed, and with subclusters. */
  'compressed-subclusters': 'corruption',
  /** L2 entry: a subcluster that is allocated and zero. */
  'subclusters-contradict': 'corruption',
  /** L2 entry: subclusters that are allocated nowhere. */
  'subclusters-nowhere': 'corruption',
  /** What is referred to ends a cluster or more behind the end of the file. */
  'past-end': 'corruption',
  'refcount-table-past-end': 'corruption',
  'refcount-table-reserved-bits': 'corruption',
  'refcount-block-unaligned': 'corruption',
  'refcount-block-past-end': 'corruption',
  /** A refcount block lies where something else lies. */
  'refcount-block-shared': 'corruption',
  /** More references than the refcount says: what is in use could be given away. */
  'refcount-too-low': 'corruption',
  /** More references than a refcount of this width can say. */
  'refcount-overflow': 'corruption',
  /** COPIED does not say whether the refcount is one. */
  'copied-wrong': 'corruption',
  'snapshot-l1-unaligned': 'corruption',
  'snapshot-l1-too-large': 'corruption',
  /** Version 3: a snapshot without the extra data that it must have. */
  'snapshot-incomplete': 'corruption',
  'snapshots-with-data-file': 'corruption',
  'bitmap-directory-invalid': 'corruption',
  'bitmap-table-entry-invalid': 'corruption',
  'encryption-header-invalid': 'corruption',
  /** Fewer references than the refcount says: space that nobody can use. */
  leak: 'leak',
  /** The refcount block cannot be read, so that nothing can be said of its clusters. */
  'refcount-unreadable': 'error',
  'snapshot-table-unreadable': 'error',
  /** Two structures lie in one cluster, and the refcount knows it. */
  overlap: 'note',
  /** Version 2 has no zero flag, and readers refuse it. */
  'zero-flag-in-version-2': 'note',
  /** Data of a data file does not lie at the guest's offset. */
  'data-file-offset': 'note',
} as const;

export type FindingKind = keyof typeof FINDINGS;

/** Where a finding is. Offsets are bytes; what does not apply is left out. */
export interface FindingPlace {
  /** Position of the snapshot in the snapshot table; left out for the active disk. */
  readonly snapshot?: number;
  /** Position of the bitmap in the bitmap directory. */
  readonly bitmap?: number;
  /** Entry of the L1 table. Where tables are shared, one of those that lead there. */
  readonly l1Index?: number;
  /** Entry of the L2 table. */
  readonly l2Index?: number;
  /** First byte of the virtual disk that is concerned. */
  readonly guestOffset?: number;
  /** Where it lies in the image file. */
  readonly hostOffset?: number;
  /** What lies, or should lie, at `hostOffset`. */
  readonly structure?: Structure;
}

/** One thing that a check found. */
export interface CheckFinding extends FindingPlace {
  readonly kind: FindingKind;
  readonly severity: Severity;
  /** How many of its count it makes: QEMU counts an entry of a shared table once for each way that leads there. */
  readonly times: number;
  readonly expected: string;
  readonly got: string;
  /** Of a refcount that is too low or too high: as it is stored, and the references that were counted. */
  readonly refcount?: { readonly stored: number; readonly counted: number };
}
