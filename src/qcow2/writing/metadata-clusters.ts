import { CalveError } from '../../errors/index.ts';

/** What a cluster of metadata holds. An L2 table is shared when its L1 entry has COPIED clear. */
export type MetadataKind =
  | 'header'
  | 'L1 table'
  | 'L2 table'
  | 'shared L2 table'
  | 'refcount table'
  | 'refcount block'
  | 'snapshot table'
  | 'L1 table of a snapshot'
  | 'bitmap directory'
  | 'bitmap table'
  | 'bitmap data'
  | 'LUKS header';

/** A structure and its place in the file, in bytes. */
export interface MetadataClaim {
  readonly kind: MetadataKind;
  readonly offset: number;
  readonly length: number;
}

const KINDS: readonly MetadataKind[] = [
  'header',
  'L1 table',
  'L2 table',
  'shared L2 table',
  'refcount table',
  'refcount block',
  'snapshot table',
  'L1 table of a snapshot',
  'bitmap directory',
  'LUKS header',
  'bitmap table',
  'bitmap data',
];
/**
 * More than the tables of any image within QEMU's limits; a header can name so much only by naming clusters again and
 * again (trap 8).
 */
const MOST = 2 ** 23;
/** A sorted element is cluster * RADIX + kind. */
const RADIX = 16;

/**
 * Which clusters of the file hold metadata, so that no write lands on them by mistake (trap 27). What was there at
 * opening is one sorted array, 8 bytes a cluster, because a large disk of small clusters has millions of tables.
 */
export class MetadataClusters {
  readonly #path: string;
  readonly #clusterSize: number;
  readonly #atOpening: Float64Array;
  /** What came and what went (undefined) since. */
  readonly #changes = new Map<number, MetadataKind | undefined>();

  /** @throws CalveError `corrupt` when two structures claim one cluster */
  constructor(path: string, clusterSize: number, claims: Iterable<MetadataClaim>) {
    this.#path = path;
    this.#clusterSize = clusterSize;
    const elements: number[] = [];
    for (const { kind, offset, length } of claims) {
      const [first, end] = this.#clusters(offset, length);
      if (elements.length + end - first > MOST) {
        throw new CalveError('corrupt', `${path}: expected at most ${MOST} clusters of metadata`);
      }
      for (let cluster = first; cluster < end; cluster += 1) {
        elements.push(cluster * RADIX + KINDS.indexOf(kind));
      }
    }
    this.#atOpening = Float64Array.from(elements).sort();
    this.#refuseClaimedTwice();
  }

  add(kind: MetadataKind, offset: number, length: number): void {
    const [first, end] = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster += 1) this.#changes.set(cluster, kind);
  }

  remove(offset: number, length: number): void {
    const [first, end] = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster += 1) this.#changes.set(cluster, undefined);
  }

  /** @throws CalveError `corrupt` when guest data is about to be written onto metadata */
  checkData(offset: number, length: number): void {
    const [first, end] = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster += 1) {
      const kind = this.kindOf(cluster);
      if (kind !== undefined) throw this.#overlap('guest data', cluster, kind);
    }
  }

  /** @throws CalveError `corrupt` when a structure is about to be written onto anything but itself */
  checkMetadata(kind: MetadataKind, offset: number, length: number): void {
    const [first, end] = this.#clusters(offset, length);
    for (let cluster = first; cluster < end; cluster += 1) {
      const found = this.kindOf(cluster);
      if (found !== kind) throw this.#overlap(kind, cluster, found ?? 'no metadata');
    }
  }

  /** What the cluster of this number holds; undefined when it is no metadata. */
  kindOf(cluster: number): MetadataKind | undefined {
    if (this.#changes.has(cluster)) return this.#changes.get(cluster);
    const elements = this.#atOpening;
    let low = 0;
    let high = elements.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((elements[middle] ?? 0) < cluster * RADIX) low = middle + 1;
      else high = middle;
    }
    const element = elements[low];
    return element !== undefined && Math.floor(element / RADIX) === cluster
      ? KINDS[element % RADIX]
      : undefined;
  }

  #clusters(offset: number, length: number): [first: number, end: number] {
    return [Math.floor(offset / this.#clusterSize), Math.ceil((offset + length) / this.#clusterSize)];
  }

  #refuseClaimedTwice(): void {
    let before = -1;
    for (const element of this.#atOpening) {
      const cluster = Math.floor(element / RADIX);
      const kind = KINDS[element % RADIX] ?? 'header';
      // Two L1 entries may share an L2 table, as long as neither takes it for its own.
      const shared = before === element && kind === 'shared L2 table';
      if (before >= 0 && Math.floor(before / RADIX) === cluster && !shared) {
        throw this.#overlap(kind, cluster, KINDS[before % RADIX] ?? 'header');
      }
      before = element;
    }
  }

  #overlap(writing: string, cluster: number, kind: string): CalveError {
    const offset = cluster * this.#clusterSize;
    return new CalveError(
      'corrupt',
      `${this.#path}: ${writing} at ${offset} would lie on a cluster that holds: ${kind}`,
      { hint: `qemu-img check -r all ${this.#path}`, data: { path: this.#path, offset, kind } },
    );
  }
}
