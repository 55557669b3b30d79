import { CalveError, systemError } from '../errors/index.ts';
import type { HostFile } from './host-file.ts';

export function tryLock(file: HostFile): boolean {
  throw new CalveError('unsupported', `soon: ${file.path} ${systemError.name}`);
}
export function lock(file: HostFile, _options: { signal?: AbortSignal } = {}): Promise<void> {
  throw new CalveError('unsupported', `soon: ${file.path}`);
}
export function unlock(file: HostFile): void {
  throw new CalveError('unsupported', `soon: ${file.path}`);
}
