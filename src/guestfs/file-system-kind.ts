/** What a partition holds, by the name that `blkid` gives it where it has one. */
export type FileSystemKind =
  | 'ext2'
  | 'ext3'
  | 'ext4'
  | 'fat'
  | 'exfat'
  | 'ntfs'
  | 'iso9660'
  | 'xfs'
  | 'btrfs'
  | 'swap'
  | 'lvm'
  | 'luks'
  | 'mdraid';
