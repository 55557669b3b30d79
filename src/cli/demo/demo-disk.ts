import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { isZero } from '../../bytes/index.ts';
import { systemError } from '../../errors/index.ts';
import { openFile } from '../../host/index.ts';
import { packageFile } from '../package-file.ts';

/** A small server's ext4 file system, made by scripts/make-demo-disk.sh. */
const PACKED = packageFile('assets/demo-disk.raw.zst');

/** Unpacks the demo's disk into a sparse raw file and returns its path. */
export async function unpackDemoDisk(folder: string): Promise<string> {
  const path = join(folder, 'app.raw');
  await using file = await openFile(path, { create: true });
  let at = 0;
  try {
    await pipeline(
      createReadStream(PACKED),
      createZstdDecompress(),
      async (pieces: AsyncIterable<Uint8Array>) => {
        for await (const piece of pieces) {
          if (!isZero(piece)) await file.write(piece, at);
          at += piece.length;
        }
      },
    );
  } catch (error) {
    throw systemError(`cannot unpack ${PACKED}`, error);
  }
  await file.truncate(at);
  return path;
}
