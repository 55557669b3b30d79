/** The part of the untyped npm package `ext2fs` (libext2fs as WebAssembly) that is used here. */
declare module 'ext2fs' {
  /** What the library reads and writes through; offsets in bytes. */
  interface BlockDevice {
    read(
      buffer: Uint8Array,
      bufferOffset: number,
      length: number,
      offset: number,
    ): Promise<{ bytesRead: number; buffer: Uint8Array }>;
    write(
      buffer: Uint8Array,
      bufferOffset: number,
      length: number,
      offset: number,
    ): Promise<{ bytesWritten: number; buffer: Uint8Array }>;
    discard(offset: number, length: number): Promise<void>;
    flush(): Promise<void>;
  }

  interface MountedFileSystem {
    promises: {
      /** Anything but a Buffer is written as the text that String makes of it. */
      writeFile(path: string, data: Buffer): Promise<void>;
    };
  }

  export function withMountedDisk<T>(
    disk: BlockDevice,
    offset: number,
    use: (fs: MountedFileSystem) => Promise<T>,
  ): Promise<T>;
}
