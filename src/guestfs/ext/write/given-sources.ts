import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostFile, openFile } from '../../../host/index.ts';
import type { FileSource } from '../../tree-change.ts';
import type { WriteOptions } from '../../write-options.ts';

/** As many files are open for debugfs at a time, and as many bytes lie copied for it. */
const MOST_OPEN = 200;
const MOST_COPIED = 64 << 20;
const PIECE = 1 << 20;

/**
 * Sources as debugfs can read them: by the paths of descriptors of this process, which any bytes in a host's path
 * cannot disturb, and which are the very files that were opened here.
 */
export class GivenSources {
  readonly #options: WriteOptions;
  #open: HostFile[] = [];
  /** Values of attributes that are given, by their bytes: many files have the same. */
  readonly #values = new Map<string, Buffer>();
  #copied = 0;
  #done = 0;

  constructor(options: WriteOptions) {
    this.#options = options;
  }

  /** Whether debugfs should read what it was given before it is given more. */
  get areMany(): boolean {
    return this.#open.length >= MOST_OPEN || this.#copied >= MOST_COPIED;
  }

  async pathOf(source: FileSource): Promise<Buffer> {
    const file = source.openFile?.() ?? (await this.#copy(source));
    this.#open.push(file);
    this.#done += source.size;
    this.#options.onProgress?.(this.#done);
    return pathTo(file);
  }

  /** A value of an attribute, as debugfs can read it. */
  async pathOfValue(value: Buffer): Promise<Buffer> {
    const key = value.toString('latin1');
    const given = this.#values.get(key);
    if (given !== undefined) return given;
    const file = await this.#nameless();
    this.#open.push(file);
    file.writeSync(value, 0);
    this.#copied += value.length;
    const path = pathTo(file);
    this.#values.set(key, path);
    return path;
  }

  /** debugfs has read them all, or never will. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    this.#copied = 0;
    this.#values.clear();
    for (const file of open) await file.close();
  }

  /** What comes from elsewhere is laid out in a file, with its holes. */
  async #copy(source: FileSource): Promise<HostFile> {
    const file = await this.#nameless();
    try {
      await file.truncate(source.size);
      const buffer = Buffer.allocUnsafe(Math.min(PIECE, Math.max(source.size, 1)));
      for await (const { offset, length } of source.dataRuns()) {
        for (let at = 0; at < length; at += buffer.length) {
          const piece = buffer.subarray(0, Math.min(buffer.length, length - at));
          await source.read(offset + at, piece);
          await file.write(piece, offset + at);
          this.#copied += piece.length;
        }
      }
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A file without a name, which is gone when it is closed. */
  async #nameless(): Promise<HostFile> {
    const path = join(this.#options.folder, 'source');
    const file = await openFile(path, { create: true, mode: 0o600 });
    try {
      await unlink(path);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

function pathTo(file: HostFile): Buffer {
  return Buffer.from(`/proc/${process.pid}/fd/${file.fd}`);
}
