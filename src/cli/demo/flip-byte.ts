import { chmod, stat, utimes } from 'node:fs/promises';
import { openFile } from '../../host/index.ts';

/**
 * Tampers with a file as somebody without calve might: changes one byte in its middle and puts mode and times back.
 * Returns what undoes it.
 */
export async function flipByte(path: string): Promise<() => Promise<void>> {
  const { size, mode, atime, mtime } = await stat(path);
  const flip = async (): Promise<void> => {
    await chmod(path, 0o644);
    {
      await using file = await openFile(path, { writable: true });
      const offset = Math.floor(size / 2);
      const byte = Buffer.alloc(1);
      await file.read(byte, offset);
      await file.write(Buffer.of((byte[0] ?? 0) ^ 0xff), offset);
    }
    await chmod(path, mode);
    await utimes(path, atime, mtime);
  };
  await flip();
  return flip;
}
