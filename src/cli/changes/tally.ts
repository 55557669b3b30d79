import { formatBytes } from '../../bytes/index.ts';
import type { DiskDifference } from '../../store/index.ts';
import { count } from '../count.ts';

/** Counts what differs between two disks. */
export class ChangeTally {
  added = 0;
  modified = 0;
  deleted = 0;
  renamed = 0;
  /** Bytes of the regular files that were added, and of those whose content was modified, as they are now. */
  addedBytes = 0;
  modifiedBytes = 0;
  /** Bytes of the regular files that were deleted. */
  deletedBytes = 0;
  /** What differs and is no file. */
  partitions = 0;

  get isEmpty(): boolean {
    return this.added + this.modified + this.deleted + this.renamed + this.partitions === 0;
  }

  add(difference: DiskDifference): void {
    if (difference.what !== 'file') {
      this.partitions += 1;
      return;
    }
    const { kind, before, after, aspects } = difference.change;
    this[kind] += 1;
    const size = (facts: typeof before): number => (facts?.type === 'file' ? facts.size : 0);
    if (kind === 'added') this.addedBytes += size(after);
    else if (kind === 'deleted') this.deletedBytes += size(before);
    else if (aspects.includes('content') || aspects.includes('type')) this.modifiedBytes += size(after);
  }

  /** For people, in a line. */
  summary(): string {
    // Blocks that no file holds may differ all the same.
    if (this.isEmpty) return 'no file differs';
    const files = this.added + this.modified + this.deleted + this.renamed;
    const words = [
      ...(files === 0 ? [] : [this.#files(files)]),
      ...(this.partitions === 0
        ? []
        : [
            `${count(this.partitions, 'part')} of the disk without files differ${this.partitions === 1 ? 's' : ''}`,
          ]),
    ];
    return words.join('; ');
  }

  #files(files: number): string {
    const parts = [
      `${this.added} added (${formatBytes(this.addedBytes)})`,
      `${this.modified} modified (${formatBytes(this.modifiedBytes)})`,
      `${this.deleted} deleted (${formatBytes(this.deletedBytes)})`,
      `${this.renamed} renamed`,
    ];
    return `${count(files, 'file')} differ${files === 1 ? 's' : ''}: ${parts.join(', ')}`;
  }
}
