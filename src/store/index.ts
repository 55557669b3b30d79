/**
 * Owns versions, refs, environments, their protection and the space they take; imports errors, bytes, host, disk,
 * qcow2, img, nbd, guestfs, oci, registry.
 */
export type {
  ChangedAspect,
  ComparedVolume,
  DiskDifference,
  FileChange,
  FileFacts,
} from '../guestfs/index.ts';
export type { BlockDifference } from '../img/index.ts';
export type { Digest } from '../oci/index.ts';
export type { AdoptedImage, AdoptReport } from './adopt-report.ts';
export type { BlobSource } from './blob-source.ts';
export type { Config } from './config.ts';
export type { Envs } from './envs.ts';
export { openStore } from './open-store.ts';
export type {
  AdoptOptions,
  CommitOptions,
  CreateOptions,
  EventOptions,
  ExportOptions,
  FileContentsOptions,
  FileDiffOptions,
  GcOptions,
  ImportOptions,
  LogOptions,
  NbdExportsOptions,
  PullOptions,
  PushOptions,
  RemoteOptions,
  RepairOptions,
  Target,
} from './options.ts';
export type { Refs } from './refs.ts';
export type { Remotes } from './remotes.ts';
export type { Store } from './store.ts';
export type { Trash } from './trash.ts';
export type {
  BlobKind,
  BlobProgress,
  CommitResult,
  Compression,
  DfEnv,
  DfRef,
  DfReport,
  EarlierVersion,
  EnvInfo,
  EnvState,
  EnvStatus,
  FileContent,
  FileContents,
  FsckMended,
  FsckProblem,
  FsckReport,
  GcBlob,
  GcKept,
  GcReport,
  GcRun,
  ImportResult,
  LayerCount,
  LayerInfo,
  LoggedRefMove,
  MachineSettings,
  Made,
  NearestSearch,
  Progress,
  PullResult,
  PushResult,
  RefInfo,
  RefMove,
  RemoteMove,
  RemoteRef,
  ResetResult,
  SettingInfo,
  SettingValue,
  Standing,
  StoreEvent,
  TrashInfo,
  UnsavedFiles,
  VersionInfo,
  WorkOptions,
} from './types.ts';
export type { Versions } from './versions.ts';
