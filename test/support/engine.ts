// What the suites ask of the engine beyond reading and writing, and whether it has it: a suite covers a feature from the
// commit on that brings it.

import * as qcow2 from '../../src/qcow2/index.ts';

/** Members of a disk that change more than guest data. */
export interface WholeDisk {
  writeCompressed(from: Uint8Array, offset: number): Promise<void>;
  resize(size: number, options?: { readonly shrink?: boolean }): Promise<void>;
  createSnapshot(options: { readonly name: string }): Promise<unknown>;
  applySnapshot(name: string): Promise<void>;
  deleteSnapshot(name: string): Promise<void>;
  snapshots(): Promise<readonly { readonly name: string }[]>;
  openSnapshot(name: string): Promise<import('../../src/disk/index.ts').Disk>;
}

/** Whether disks have a member. */
export function canDo(member: keyof WholeDisk): boolean {
  return member in qcow2.Qcow2Disk.prototype;
}

/** A disk with the members that `canDo` says it has. */
export function wholeDisk(disk: qcow2.Qcow2Disk): WholeDisk {
  return disk as unknown as WholeDisk;
}

/** Options of `createQcow2` and `encodeEmptyImage`, those included that a build may not know. */
export type AllCreateOptions = qcow2.CreateOptions & {
  readonly extendedL2?: boolean;
  readonly dataFile?: string;
  readonly dataFileRaw?: boolean;
  readonly lazyRefcounts?: boolean;
  readonly encryption?: {
    readonly passphrase: Uint8Array;
    readonly iterations?: { readonly keySlot: number; readonly masterKey: number };
  };
};

/** Whether images with extended L2 entries, data files and encryption can be made. */
export const CREATES_ALL: boolean = createsExtendedL2();

/** Whether images with extended L2 entries and data files can be read and written. */
export const OPENS_ALL: boolean = 'followDataFile' in qcow2;

/** Follows the data files that images name, where there is such a thing. */
export function followDataFiles(): object {
  const { followDataFile } = qcow2 as { readonly followDataFile?: () => unknown };
  return followDataFile ? { dataFile: followDataFile() } : {};
}

function createsExtendedL2(): boolean {
  const options: AllCreateOptions = { size: 512, extendedL2: true };
  // Section "Header", incompatible_features: bit 4.
  return ((qcow2.encodeEmptyImage(options)[79] ?? 0) & 16) !== 0;
}
