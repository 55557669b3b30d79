import { unlinkSync } from 'node:fs';
import { CalveError } from '../../errors/index.ts';
import { type HostFile, openFile, tryLock } from '../../host/index.ts';

/**
 * Writes this process's id into a file, which is locked while the process lives, and removed when it is disposed of. One
 * that a killed process left behind is taken over.
 * @throws CalveError `in-use` when a living process has it, `exists` when it is something else, `denied`, `not-found`, `io`
 */
export async function writePidFile(path: string): Promise<AsyncDisposable> {
  const file = await openOrMake(path);
  try {
    if (!tryLock(file)) throw new CalveError('in-use', `${path} belongs to a server that is running`);
    await refuseOther(file);
    await file.truncate(0);
    await file.write(Buffer.from(`${process.pid}\n`), 0);
  } catch (error) {
    await file.close();
    throw error;
  }
  const remove = async (): Promise<void> => {
    try {
      unlinkSync(path);
    } catch {
      // Whoever removed it before has done our work.
    } finally {
      await file.close();
    }
  };
  return { [Symbol.asyncDispose]: remove };
}

/** What is no pid file is not overwritten. */
async function refuseOther(file: HostFile): Promise<void> {
  const start = Buffer.alloc(32);
  const length = await file.read(start, 0);
  if (/^\d*\s*$/.test(start.toString('latin1', 0, length))) return;
  throw new CalveError('exists', `${file.path} exists and is no pid file`);
}

async function openOrMake(path: string): Promise<HostFile> {
  try {
    return await openFile(path, { create: true });
  } catch (error) {
    if (!CalveError.is(error, 'exists')) throw error;
    return openFile(path, { writable: true });
  }
}
