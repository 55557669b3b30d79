import { CalveError } from '../../errors/index.ts';
import type { Bitmap, BitmapTablePlace } from './bitmap.ts';

/** A dirty bitmap of an image: which parts of the disk were changed since it was made or cleared. */
export interface BitmapInfo {
  readonly name: string;
  /** Bytes of the disk that one bit stands for. */
  readonly granularity: number;
  /** Whether changes of the disk are set in it. */
  readonly enabled: boolean;
  /** A writer ended without closing the image: what the bitmap says is outdated, and it can only be removed or reset. */
  readonly inconsistent: boolean;
  /** It has extra data without which it must not be used: it can only be removed. */
  readonly foreign: boolean;
}

/** The bitmaps of an open image. */
export class BitmapList {
  readonly path: string;
  /** In the order of the directory. */
  readonly bitmaps: Bitmap[];
  /** Where the directory lies in the file, in bytes; undefined when there is none that counts. */
  directory: BitmapTablePlace | undefined;
  /** Why the directory cannot be used, if it cannot. Then `bitmaps` is empty. */
  readonly problem: CalveError | undefined;

  constructor(path: string, bitmaps: Bitmap[], directory?: BitmapTablePlace, problem?: CalveError) {
    this.path = path;
    this.bitmaps = bitmaps;
    this.directory = directory;
    this.problem = problem;
  }

  /** Bytes of the directory that names these bitmaps. */
  get directoryBytes(): number {
    return this.bitmaps.reduce((sum, bitmap) => sum + bitmap.entryBytes, 0);
  }

  /** @throws CalveError `corrupt` when the directory cannot be used */
  infos(): BitmapInfo[] {
    if (this.problem) throw this.problem;
    return this.bitmaps.map(({ name, granularity, enabled, inconsistent, foreign }) => {
      return { name, granularity, enabled, inconsistent, foreign };
    });
  }

  /** @throws CalveError `not-found`; `corrupt` when the directory cannot be used */
  find(name: string): Bitmap {
    if (this.problem) throw this.problem;
    const found = this.bitmaps.find((bitmap) => bitmap.name === name);
    if (found) return found;
    const names = this.bitmaps.map((bitmap) => JSON.stringify(bitmap.name)).join(', ') || 'none';
    throw new CalveError('not-found', `${this.path} has no bitmap ${JSON.stringify(name)}; it has ${names}`, {
      hint: `qemu-img info ${this.path}`,
      data: { path: this.path, bitmap: name },
    });
  }

  /**
   * A bitmap whose bits count.
   * @throws CalveError as `find`; `corrupt` for one that is inconsistent, `unsupported` for one with foreign extra data
   */
  sound(name: string): Bitmap {
    const bitmap = this.find(name);
    if (bitmap.sound) return bitmap;
    const what = `${this.path}: bitmap ${JSON.stringify(name)}`;
    const data = { path: this.path, bitmap: name };
    if (bitmap.foreign) {
      throw new CalveError('unsupported', `${what} has extra data of a kind that is not known`, { data });
    }
    throw new CalveError(
      'corrupt',
      `${what} is inconsistent: it was in use when a writer ended without closing the image, so changes may be missing`,
      { hint: `qemu-img bitmap --remove ${this.path} ${name}, then --add it, and make a full backup`, data },
    );
  }
}
