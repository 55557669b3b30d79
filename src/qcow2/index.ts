/** Owns the qcow2 format, reading, writing and creating; imports errors, bytes, host, disk. */
export type { AmendImageOptions, Amendment, AmendProgress } from './amend/amend-options.ts';
export { type AmendOptions, amendQcow2 } from './amend/amend-qcow2.ts';
export { type BackingPolicy, type BackingRequest, denyBacking } from './backing-policy.ts';
export type { NewBacking } from './basing/change-backing.ts';
export type { BitmapInfo } from './bitmaps/bitmap-list.ts';
export type { NewBitmap } from './bitmaps/check-bitmap.ts';
export type { DirtyExtent } from './bitmaps/dirty-extents.ts';
export type { BitmapSource } from './bitmaps/merged-extents.ts';
export { Chain, type ChainLimits } from './chain.ts';
export { type CheckOptions, checkQcow2 } from './check/check-qcow2.ts';
export type { CheckReport, RepairReport } from './check/check-report.ts';
export type { CheckFinding, FindingKind, FindingPlace, Severity } from './check/finding.ts';
export { type RepairOptions, repairQcow2 } from './check/repair-qcow2.ts';
export { type CreateEncryption, type CreateOptions, createQcow2, createQcow2In } from './create-qcow2.ts';
export type { Preallocation } from './creating/image-options.ts';
export type { NewImageFile } from './creating/new-image-file.ts';
export { openNewFile } from './creating/open-new-file.ts';
export { reserveStorage } from './creating/reserve-storage.ts';
export { type DataFilePolicy, type DataFileRequest, denyDataFile } from './data-file-policy.ts';
export type { HostExtent } from './disk-extents.ts';
export {
  type EmptyImage,
  type EmptyImageOptions,
  encodeEmptyImage,
  layOutEmptyImage,
} from './empty-image.ts';
export type { EncryptionOptions, LuksHeader } from './encryption/index.ts';
export type { FeatureName } from './feature-names.ts';
export { backingPath, type FollowOptions, followBacking } from './follow-backing.ts';
export { followDataFile } from './follow-data-file.ts';
export type { HeaderExtension } from './header-extensions.ts';
export type { AutoclearFeatures, CompatibleFeatures, IncompatibleFeatures } from './header-fields.ts';
export type { ImageStorage } from './image-storage.ts';
export {
  type LayerOptions,
  type LayerPart,
  type LayerSummary,
  writeLayer,
  writeLayerPart,
} from './layer/write-layer.ts';
export { bitmapsSize, fullyAllocatedSize, type MeasureOptions } from './measure-qcow2.ts';
export { type OpenImageOptions, openImage } from './open-image.ts';
export { type OpenQcow2Options, openQcow2 } from './open-qcow2.ts';
export { Qcow2Disk } from './qcow2-disk.ts';
export type { CompressionType, CryptMethod, Qcow2Header } from './qcow2-header.ts';
export { readHeader } from './read-header.ts';
export type { ResizeOptions } from './resizing/resize-options.ts';
export type { Snapshot } from './snapshots/snapshot.ts';
export type { CreateSnapshotOptions } from './snapshots/snapshot-labels.ts';
export type { DetectZeroes } from './writing/detect-zeroes.ts';
