export interface LockHolder {
  readonly pid: number;
  readonly command: string;
  readonly access: 'read' | 'write';
}
export function imageLockHolders(_path: string): LockHolder[] {
  return [];
}
