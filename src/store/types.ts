/** What the store's methods take and return. Every listing's shape is also what `--json` prints for it. */
import type { LockHolder } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { LayerSummary } from '../qcow2/index.ts';

/** How far long work is. `done` and `total` are bytes of the disk, or of files where only files are read. */
export interface Progress {
  readonly phase: 'reading' | 'hashing' | 'writing';
  readonly done: number;
  readonly total: number;
}

/** Long work: aborting the signal ends it with CalveError `aborted` and leaves everything as it was. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How the clusters of a layer are packed. */
export type Compression = 'zstd' | 'deflate' | 'none';

/** Settings of the machine that a disk belongs to (arch, firmware, memory, cpus …): JSON whose numbers are integers. */
export type MachineSettings = Readonly<Record<string, unknown>>;

/** A layer of a version's chain. */
export interface LayerInfo {
  readonly digest: Digest;
  /** Bytes of the qcow2 file. */
  readonly size: number;
}

/** What made a version. */
export interface Made {
  /** `import`, `commit`, `squash`. */
  readonly command: string;
  /** What it was made of: the file's name, the env's name. */
  readonly from?: string | undefined;
}

/** A version: `show --json`, and a line each of `log --json`. */
export interface VersionInfo {
  /** The manifest's digest, which is the version's name. */
  readonly digest: Digest;
  readonly message: string;
  readonly author: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** Manifest digests, the first parent first. */
  readonly parents: readonly Digest[];
  /** Virtual size of the disk, bytes. */
  readonly size: number;
  /** The chain, base first. */
  readonly layers: readonly LayerInfo[];
  /** The refs that point at it, sorted. */
  readonly refs: readonly string[];
  readonly machine: MachineSettings;
  readonly made: Made;
}

/** A ref: `refs.list`. */
export interface RefInfo {
  /** With its tag: `debian:latest`. */
  readonly name: string;
  readonly version: Digest;
}

/** One move of a ref: `refs.history`. */
export interface RefMove {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly ref: string;
  /** null: the ref was made. */
  readonly from: Digest | null;
  /** null: the ref was removed. */
  readonly to: Digest | null;
  readonly command: string;
}

/** What a setting may be. */
export type SettingValue = string | number | boolean;

/** A setting of the store: a line of `config --json`. */
export interface SettingInfo {
  /** A path in `config.json`: `trash.days`. */
  readonly key: string;
  /** What counts: what was set, else the default. */
  readonly value: SettingValue;
  readonly default: SettingValue;
  /** Whether `config.json` says it. */
  readonly set: boolean;
}

/** Whether somebody has an env's overlay open. */
export type EnvState = 'idle' | { readonly inUse: readonly LockHolder[] };

/** An environment: a line of `ls --json`, and what `new --json` prints. */
export interface EnvInfo {
  readonly name: string;
  readonly version: Digest;
  /** The ref that a commit moves; null when it stands on a version without one. */
  readonly ref: string | null;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** Bytes of storage that the overlay takes; a fresh one takes a few KiB. */
  readonly changedBytes: number;
  readonly state: EnvState;
}

/** `status --json`. */
export interface EnvStatus extends EnvInfo {
  /** Whether the ref points somewhere else by now, or is gone. */
  readonly refMoved: boolean;
  /** Clusters that the overlay holds; null while it is in use, when only its size may be looked at. */
  readonly changedClusters: number | null;
  /** Bytes of a cluster; null while it is in use. */
  readonly clusterSize: number | null;
}

/** What was removed and can come back: a line of `trash ls --json`. */
export interface TrashInfo {
  /** `work@20261122T110806.123Z`: the env's name and when it was removed. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly removed: string;
  readonly version: Digest;
  readonly ref: string | null;
  /** Bytes of storage that emptying frees. */
  readonly changedBytes: number;
}

/** `import`. */
export interface ImportResult {
  readonly version: VersionInfo;
  readonly ref: string | null;
  readonly summary: LayerSummary;
  /** What the source had and the version has not, a sentence each. */
  readonly warnings: readonly string[];
}

/** `commit`. */
export interface CommitResult {
  readonly version: VersionInfo;
  /** The ref that points at the version now; null when the env tracks none. */
  readonly ref: string | null;
  /** The layer that was written: what the env changed, and what was merged into it. */
  readonly summary: LayerSummary;
  /** Clusters that read otherwise than in the version that the env stood on: of data, and of zeros. */
  readonly changed: { readonly dataClusters: number; readonly zeroClusters: number };
  /** How many layers of the parent's chain were merged into the one that was written; all of them for a squash. */
  readonly mergedLayers: number;
}

/** `reset`: the env as it is now, and where its changes went. */
export interface ResetResult {
  readonly env: EnvInfo;
  readonly trash: TrashInfo;
}

/** Who stands on a layer or a blob. */
export interface Standing {
  readonly versions: readonly Digest[];
  readonly refs: readonly string[];
  readonly envs: readonly string[];
  /** Ids in the trash. */
  readonly trash: readonly string[];
}

/** What `gc` deleted, or would delete. */
export interface GcReport {
  readonly dryRun: boolean;
  /** In the order of deletion. */
  readonly blobs: readonly { readonly digest: Digest; readonly kind: BlobKind; readonly bytes: number }[];
  /** Ids of trash that expired. */
  readonly trash: readonly string[];
  /** Bytes of storage. */
  readonly freedBytes: number;
}

/** What a blob is; `other` is an unreferenced document of no known kind. */
export type BlobKind = 'manifest' | 'config' | 'layer' | 'other';

/** Something that `fsck` found. */
export interface FsckProblem {
  readonly kind:
    | 'blob-changed'
    | 'blob-missing'
    | 'blob-misnamed'
    | 'document-broken'
    | 'layer-broken'
    | 'layer-parent'
    | 'ref-broken'
    | 'env-broken'
    | 'trash-broken'
    | 'log-broken'
    | 'stray';
  /** A path below the store, or a digest or ref. */
  readonly where: string;
  readonly message: string;
  readonly standing: Standing;
}

/** `fsck --json`. */
export interface FsckReport {
  readonly problems: readonly FsckProblem[];
  readonly checked: {
    readonly blobs: number;
    /** Bytes hashed. */
    readonly bytes: number;
    readonly versions: number;
    readonly layers: number;
    readonly refs: number;
    readonly envs: number;
    readonly trash: number;
  };
}

/** Space of a ref: a line each of `images --json`. */
export interface DfRef {
  readonly name: string;
  readonly version: Digest;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** Bytes of the disk. */
  readonly virtualSize: number;
  /** Bytes of the chain's files. */
  readonly apparentBytes: number;
  /** Bytes of storage that are freed, in time, if this alone is deleted. */
  readonly ownBytes: number;
  /** Bytes of storage that it needs and others need too. */
  readonly sharedBytes: number;
}

/** Space of an env. */
export interface DfEnv {
  readonly name: string;
  readonly version: Digest;
  readonly ref: string | null;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly virtualSize: number;
  readonly apparentBytes: number;
  readonly ownBytes: number;
  readonly sharedBytes: number;
}

/** `df --json`. */
export interface DfReport {
  readonly refs: readonly DfRef[];
  readonly envs: readonly DfEnv[];
  /** Bytes of storage, folders included: `total` is what `du -B1 -s STORE` says. */
  readonly totals: {
    readonly layers: number;
    /** Manifests and configs. */
    readonly manifests: number;
    readonly envs: number;
    readonly trash: number;
    readonly other: number;
    readonly total: number;
  };
}
