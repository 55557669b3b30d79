/** Owns what lies inside a disk, partitions and file systems; imports errors, bytes, disk. */
export { hasExtFileSystem, writeExtFile } from './write-ext-file.ts';
