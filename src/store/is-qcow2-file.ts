import type { HostFile } from '../host/index.ts';

const MAGIC = 'QFI\xfb';

/** Whether a file begins as qcow2 files do. */
export async function isQcow2File(file: HostFile): Promise<boolean> {
  const magic = Buffer.alloc(MAGIC.length);
  await file.read(magic, 0);
  return magic.toString('latin1') === MAGIC;
}
