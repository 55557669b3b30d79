/** Owns what lies inside a disk, partitions and file systems; imports errors, bytes, disk. */
export { hasExtFileSystem, readExtFile, writeExtFile } from './ext-file.ts';
