import { type Disk, isWritable, type WritableDisk } from '../../disk/index.ts';
import { CalveError } from '../../errors/index.ts';
import type { ExportSource, NbdExport } from './nbd-export.ts';

/** An export in use by a client. */
export interface Hold {
  readonly export: NbdExport;
  readonly disk: Disk;
  /** The disk, where clients may write. */
  readonly writable: WritableDisk | undefined;
  /** Lets go of it; the last to do so closes the disk. */
  release(): Promise<void>;
}

interface Opened {
  readonly disk: Promise<Disk>;
  holders: number;
}

/** The exports of a server that clients are using, each opened once. */
export class OpenExports {
  readonly #source: ExportSource;
  readonly #opened = new Map<string, Opened>();
  /** A disk that is being closed is opened again only after that: its locks are still held. */
  readonly #closing = new Map<string, Promise<void>>();

  constructor(source: ExportSource) {
    this.#source = source;
  }

  list(): ReturnType<ExportSource['list']> {
    return this.#source.list();
  }

  find(name: string): Promise<NbdExport | undefined> {
    return this.#source.find(name);
  }

  /** @throws CalveError `in-use` for one client too many; what opening throws */
  async hold(wanted: NbdExport): Promise<Hold> {
    const { name, maxClients = 0 } = wanted;
    const key = JSON.stringify([name, wanted.identity]);
    for (let closing = this.#closing.get(key); closing; closing = this.#closing.get(key)) await closing;
    const opened = this.#opened.get(key) ?? { disk: wanted.open(), holders: 0 };
    if (maxClients > 0 && opened.holders >= maxClients) {
      throw new CalveError('in-use', `export ${name}: ${opened.holders} clients are connected already`);
    }
    this.#opened.set(key, opened);
    opened.holders += 1;
    try {
      const disk = await opened.disk;
      const writable = !wanted.readOnly && isWritable(disk) ? disk : undefined;
      let released: Promise<void> | undefined;
      const release = (): Promise<void> => {
        released ??= this.#letGo(key, opened);
        return released;
      };
      return { export: wanted, disk, writable, release };
    } catch (error) {
      opened.holders -= 1;
      if (this.#opened.get(key) === opened) this.#opened.delete(key);
      throw error;
    }
  }

  async #letGo(key: string, opened: Opened): Promise<void> {
    opened.holders -= 1;
    if (opened.holders > 0) return;
    this.#opened.delete(key);
    const closing = opened.disk.then((disk) => disk.close());
    const ended = closing.catch(() => {}).finally(() => this.#closing.delete(key));
    this.#closing.set(key, ended);
    await closing;
  }
}
