import { CalveError } from '../../errors/index.ts';

// Feature bits of the superblock (ext4 disk layout, "The Super Block"): s_feature_compat, _incompat, _ro_compat.
export const COMPAT = { hasJournal: 0x4, sparseSuper2: 0x200, orphanFile: 0x1000 } as const;

export const INCOMPAT = {
  filetype: 0x2,
  needsRecovery: 0x4,
  metaBg: 0x10,
  extents: 0x40,
  is64bit: 0x80,
  mmp: 0x100,
  eaInode: 0x400,
  csumSeed: 0x2000,
  largeDir: 0x4000,
  inlineData: 0x8000,
} as const;

export const RO_COMPAT = {
  sparseSuper: 0x1,
  hugeFile: 0x8,
  gdtCsum: 0x10,
  quota: 0x100,
  bigalloc: 0x200,
  metadataCsum: 0x400,
  orphanPresent: 0x10000,
} as const;

/** The names that e2fsprogs has for incompatible features, and whether a file system with it is read here. */
const INCOMPATIBLE: ReadonlyMap<number, readonly [name: string, read: boolean]> = new Map([
  [0x1, ['compression', false]],
  [0x2, ['filetype', true]],
  [0x4, ['needs_recovery', true]],
  [0x8, ['journal_dev', false]],
  [0x10, ['meta_bg', true]],
  [0x40, ['extent', true]],
  [0x80, ['64bit', true]],
  [0x100, ['mmp', true]],
  [0x200, ['flex_bg', true]],
  [0x400, ['ea_inode', true]],
  [0x1000, ['dirdata', false]],
  [0x2000, ['metadata_csum_seed', true]],
  [0x4000, ['large_dir', true]],
  [0x8000, ['inline_data', true]],
  [0x10000, ['encrypt', true]],
  [0x20000, ['casefold', true]],
]);

/** Refuses, by their names, features without which nothing can be read. @throws CalveError `unsupported` */
export function refuseFeatures(incompat: number): void {
  const names: string[] = [];
  for (let bit = 1; bit < 2 ** 32; bit *= 2) {
    if ((incompat & bit) === 0) continue;
    const [name, read] = INCOMPATIBLE.get(bit) ?? [`unknown (0x${bit.toString(16)})`, false];
    if (!read) names.push(name);
  }
  if (names.length === 0) return;
  throw new CalveError(
    'unsupported',
    `the file system has a feature that is not read here: ${names.join(', ')}`,
    {
      data: { features: names },
    },
  );
}
