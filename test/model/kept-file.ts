import { DiskFile } from '../../src/disk/index.ts';

/** A file that lies in a disk, and stays when the image in it is closed, to be looked at and opened again. */
export class KeptFile extends DiskFile {
  /** Everything has been done that was asked for. */
  override async close(): Promise<void> {
    await this.read(new Uint8Array(), 0);
  }

  /** The whole file. */
  async content(): Promise<Buffer> {
    const bytes = Buffer.alloc(this.stat().size);
    await this.read(bytes, 0);
    return bytes;
  }
}
