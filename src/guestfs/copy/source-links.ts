import type { BigIntStats } from 'node:fs';
import type { FileSystemKind } from '../file-system-kind.ts';

/** Files with several names that are remembered at a time; further ones are copied once for each name. */
const MOST_KEPT = 200_000;

/** How many names a file may have (Linux: EXT4_LINK_MAX, EXT2_LINK_MAX); where one alone, it has no links. */
const MOST_NAMES: Partial<Record<FileSystemKind, number>> = { ext4: 65_000, ext3: 32_000, ext2: 32_000 };

interface Copied {
  readonly id: number;
  /** Names on the host that are still to come. */
  left: number;
  /** Names in the guest. */
  names: number;
}

/** The files of the host with several names that were copied, so that the guest has them once too. */
export class SourceLinks {
  readonly #most: number;
  readonly #copied = new Map<string, Copied>();
  #next = 1;

  /** @param kind of the guest's file system */
  constructor(kind: FileSystemKind) {
    this.#most = MOST_NAMES[kind] ?? 1;
  }

  /** The number of what is copied once for all its names, and whether this is the first of them. */
  note({ dev, ino, nlink }: BigIntStats): { readonly id: number; readonly isFirst: boolean } | undefined {
    if (nlink < 2n || this.#most < 2) return undefined;
    const key = `${dev}:${ino}`;
    const copied = this.#copied.get(key);
    if (copied !== undefined && copied.names < this.#most) {
      copied.left -= 1;
      copied.names += 1;
      if (copied.left === 0) this.#copied.delete(key);
      return { id: copied.id, isFirst: false };
    }
    if (copied === undefined && this.#copied.size >= MOST_KEPT) return undefined;
    const id = this.#next;
    this.#next += 1;
    this.#copied.set(key, { id, left: Number(nlink) - 1, names: 1 });
    return { id, isFirst: true };
  }
}
