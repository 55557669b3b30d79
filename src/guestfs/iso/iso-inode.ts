import type { Inode, InodeType } from '../inode.ts';
import { corrupt } from './corrupt.ts';
import type { DirectoryRecord } from './directory-record.ts';
import { type RockRidge, typeOf } from './rock-ridge.ts';

/** As Linux shows what Rock Ridge says nothing of: all may read and enter. */
const MODE = 0o555;
const SECTOR = 2048;

/** A part of a file, in one piece. */
export interface IsoSection {
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly length: number;
}

/** A file of an ISO 9660 image, with where its content lies. */
export interface IsoInode extends Inode {
  readonly sections: readonly IsoSection[];
  readonly target: Buffer | null;
  /** Why its content cannot be read; null: it can. */
  readonly unreadable: string | null;
}

/**
 * What a record and Rock Ridge say of a file.
 *
 * @param number where the record stands
 * @param record with its attributes: of a directory, the one that leads to its content
 */
export function isoInode(
  number: number,
  record: DirectoryRecord,
  rock: RockRidge,
  sections: readonly IsoSection[],
): IsoInode {
  const type = inodeType(number, record, rock);
  const total = sections.reduce((sum, { length }) => sum + length, 0);
  const changed = rock.changed ?? record.time;
  return {
    number,
    type,
    mode: rock.mode === undefined ? MODE : rock.mode & 0o7777,
    uid: rock.uid ?? 0,
    gid: rock.gid ?? 0,
    size: type === 'symlink' ? (rock.target?.length ?? 0) : (rock.compressed?.size ?? total),
    links: rock.links ?? 1,
    atime: rock.read ?? record.time,
    mtime: changed,
    ctime: rock.attributesChanged ?? changed,
    crtime: rock.made ?? null,
    flags: record.flags,
    generation: 0,
    allocated: sections.reduce((sum, { length }) => sum + Math.ceil(length / SECTOR) * SECTOR, 0),
    device: type === 'character-device' || type === 'block-device' ? (rock.device ?? null) : null,
    sections,
    target: type === 'symlink' ? (rock.target ?? null) : null,
    unreadable:
      rock.compressed !== undefined
        ? `is compressed (zisofs, ${rock.compressed.algorithm})`
        : record.isInterleaved
          ? 'is interleaved'
          : null,
  };
}

/** @throws CalveError `corrupt` when a record and Rock Ridge do not agree */
export function inodeType(number: number, record: DirectoryRecord, rock: RockRidge): InodeType {
  const own = record.isDirectory || rock.child !== undefined ? 'directory' : 'file';
  if (rock.mode === undefined) return own;
  const type = typeOf(rock.mode);
  if ((type === 'directory') !== (own === 'directory')) {
    throw corrupt(`directory record at byte ${number}`, `it is of a ${own}, Rock Ridge says ${type}`);
  }
  return type;
}
