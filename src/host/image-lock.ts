import { CalveError } from '../errors/index.ts';
import type { HostFile } from './host-file.ts';

export type ImageAccess = 'read' | 'write';
export interface ImageLock extends Disposable {
  readonly access: ImageAccess;
  release(): void;
}
export function lockImage(file: HostFile, access: ImageAccess): ImageLock {
  throw new CalveError('unsupported', `soon: ${file.path} ${access}`);
}
