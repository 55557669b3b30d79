/** s_magic, at 0x38 of the superblock, which stands at byte 1024. */
const MAGIC = 0xef53;
const HAS_JOURNAL = 0x4;
/** What ext3 knows: filetype, needs_recovery, meta_bg; sparse_super, large_file, btree_dir. More makes ext4. */
const INCOMPAT_EXT3 = 0x16;
const RO_COMPAT_EXT3 = 0x7;

/** Which of the three a superblock is of, by its features as `blkid` tells them; undefined when it is none. */
export function extKind(superblock: Buffer): 'ext2' | 'ext3' | 'ext4' | undefined {
  if (superblock.readUInt16LE(0x38) !== MAGIC) return undefined;
  const incompat = superblock.readUInt32LE(0x60);
  const roCompat = superblock.readUInt32LE(0x64);
  if ((incompat & ~INCOMPAT_EXT3) !== 0 || (roCompat & ~RO_COMPAT_EXT3) !== 0) return 'ext4';
  return superblock.readUInt32LE(0x5c) & HAS_JOURNAL ? 'ext3' : 'ext2';
}
