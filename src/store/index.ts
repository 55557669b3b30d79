/**
 * Owns versions, refs, environments, their protection and the space they take; imports errors, bytes, host, disk,
 * qcow2, img, nbd, oci.
 */
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
  EventOptions,
  ExportOptions,
  GcOptions,
  ImportOptions,
  NbdExportsOptions,
  RepairOptions,
  Target,
} from './options.ts';
export type { Refs } from './refs.ts';
export type { Store } from './store.ts';
export type { Trash } from './trash.ts';
export type {
  BlobKind,
  CommitResult,
  Compression,
  DfEnv,
  DfRef,
  DfReport,
  EarlierVersion,
  EnvInfo,
  EnvState,
  EnvStatus,
  FsckMended,
  FsckProblem,
  FsckReport,
  GcBlob,
  GcKept,
  GcReport,
  GcRun,
  ImportResult,
  LayerInfo,
  LoggedRefMove,
  MachineSettings,
  Made,
  NearestSearch,
  Progress,
  RefInfo,
  RefMove,
  ResetResult,
  SettingInfo,
  SettingValue,
  Standing,
  StoreEvent,
  TrashInfo,
  VersionInfo,
  WorkOptions,
} from './types.ts';
export type { Versions } from './versions.ts';
