/**
 * What the store's methods take and return. Every listing's shape is also what `--json` prints for it. One file, though long:
 * it holds no code, and the shapes are made of one another.
 */
import type { DiskDifference, FileChange } from '../guestfs/index.ts';
import type { LockHolder } from '../host/index.ts';
import type { Digest } from '../oci/index.ts';
import type { LayerSummary } from '../qcow2/index.ts';

/** How far long work is. `done` and `total` are bytes of the disk, or of files where only files are read. */
export interface Progress {
  readonly phase: 'reading' | 'hashing' | 'writing' | 'fetching' | 'sending' | 'converting';
  readonly done: number;
  readonly total: number;
}

/** Long work: aborting the signal ends it with CalveError `aborted` and leaves everything as it was. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How far the transfer of one layer is. All bytes. */
export interface BlobProgress {
  readonly digest: Digest;
  /** How much of it is where it shall be. */
  readonly done: number;
  readonly total: number;
  /** What went over the wire, more than once where it had to. */
  readonly moved: number;
  /** What did not have to, since it was there. */
  readonly there: number;
  /** Nothing more will be told of it. */
  readonly ended: boolean;
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
  /** There when the ref may be neither moved nor removed. */
  readonly protected?: true;
}

/** One move of a ref: a line of the log. */
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

/** A move as it is listed: `refs.history`, a line of `log --refs --json`. */
export interface LoggedRefMove extends RefMove {
  /** What names the version that the move led to: `debian:12@{0}` for the ref's last move. */
  readonly expression: string;
}

/** A push or a pull that was done: a line of the log of remotes. */
export interface RemoteMove {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly command: 'push' | 'pull';
  /** `HOST/REPOSITORY:TAG`, or the folder of a store and the ref there. */
  readonly remote: string;
  /** The ref here; null for a version that was named otherwise. */
  readonly ref: string | null;
  /** What a push replaced there, or a pull here; null for nothing. */
  readonly from: Digest | null;
  readonly to: Digest;
}

/** What `pull` did. */
export interface PullResult {
  readonly remote: string;
  /** The ref here; null when none was asked for. */
  readonly ref: string | null;
  readonly version: VersionInfo;
  /** Where the ref pointed before; null when it was not there. */
  readonly previous: Digest | null;
  /** Whether the ref moved: it stays where it has the version already, or is ahead of it. */
  readonly moved: boolean;
  /** How many versions of the history are here now, the version itself included. */
  readonly versions: number;
  /** Layers that were missing here, and their bytes. */
  readonly fetched: LayerCount;
  /** Layers that were here. */
  readonly there: LayerCount;
  /** Bytes of layers that came over the wire: fewer after an earlier try. */
  readonly transferredBytes: number;
  /** Layers that only older versions need, and that come when one is used. */
  readonly promisedLayers: number;
}

/** What `push` did. */
export interface PushResult {
  readonly remote: string;
  readonly version: Digest;
  /** The version that the remote had under this name before; null for none. */
  readonly previous: Digest | null;
  /** Whether the remote's name moved: it stays where it has the version already. */
  readonly moved: boolean;
  /** How many versions the remote has of the history now, the version itself included. */
  readonly versions: number;
  /** Layers that were sent, that were there, and that the registry took from another repository; and their bytes. */
  readonly sent: LayerCount;
  readonly there: LayerCount;
  readonly mounted: LayerCount;
  /** Bytes of layers that went over the wire: fewer after an earlier try. */
  readonly transferredBytes: number;
}

/** Layers, and how many bytes they have together. */
export interface LayerCount {
  readonly layers: number;
  readonly bytes: number;
}

/** A name that a remote has. */
export interface RemoteRef {
  /** The tag, or the ref of another store. */
  readonly name: string;
  /** Null for what is no version that calve pushed. */
  readonly version: Digest | null;
  readonly created: string | null;
  readonly message: string | null;
  /** Bytes of the disk. */
  readonly virtualSize: number | null;
  /** Bytes of its layers. */
  readonly layerBytes: number | null;
  /** How many versions the registry lists of its history, itself included; null for a folder, which has no such list. */
  readonly versions: number | null;
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

/** A file's content. */
export interface FileContent {
  /** Bytes. */
  readonly size: number;
  /** Null: there are more than were asked for. */
  readonly bytes: Buffer | null;
}

/** A file on two disks: null where there is none. */
export interface FileContents {
  readonly before: FileContent | null;
  readonly after: FileContent | null;
  readonly differ: boolean;
}

/** What an env holds that its version does not: `status --json` has it as `files`. */
export interface UnsavedFiles {
  /** Files that are new, or whose content is; directories are not counted. */
  readonly count: number;
  /** Bytes of those that are regular files, as a guest sees them. */
  readonly bytes: number;
  /** The largest ten of them, the largest first. */
  readonly largest: readonly Extract<DiskDifference, { what: 'file' }>[];
  /** How many files of any type changed in which way. */
  readonly changes: { readonly [Kind in FileChange['kind']]: number };
  /** What could not be told by files. */
  readonly other: readonly Exclude<DiskDifference, { what: 'file' }>[];
}

/** What was removed and can come back: a line of `trash ls --json`. */
export interface TrashInfo {
  /** `work@20261122T110806.123Z`: the env's name and when it was removed. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339, UTC. */
  readonly removed: string;
  /** RFC 3339, UTC: from then on `gc` deletes it. */
  readonly expires: string;
  readonly version: Digest;
  readonly ref: string | null;
  /** Bytes of storage that emptying frees. */
  readonly changedBytes: number;
}

/** A version that an import made below its own. */
export interface EarlierVersion {
  readonly version: VersionInfo;
  /** null: the store had this version already. */
  readonly summary: LayerSummary | null;
}

/** What looking for the version that a disk differs least from has found. */
export interface NearestSearch {
  /** The version that is built on; null: none is near enough, and the whole disk is stored. */
  readonly version: Digest | null;
  /** A ref that names it. */
  readonly ref: string | null;
  /** Versions that were compared. */
  readonly compared: number;
  /** Clusters of 64 KiB of the disk's data by which they were. */
  readonly sampled: number;
  /** How many of these the nearest version has in the same places, near enough or not. */
  readonly equal: number;
}

/** `import`. */
export interface ImportResult {
  readonly version: VersionInfo;
  readonly ref: string | null;
  /** Of several layers, the sum; the digest is the last one's. */
  readonly summary: LayerSummary;
  /** What the image's backing files and snapshots became, the oldest first. */
  readonly earlier: readonly EarlierVersion[];
  /** What `onto: 'auto'` found; null where it was not asked for. */
  readonly nearest: NearestSearch | null;
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
  readonly blobs: readonly GcBlob[];
  /** Trash that expired. */
  readonly trash: readonly TrashInfo[];
  /** What a repair had replaced and that expired as trash does, by its path below the store. */
  readonly harmed: readonly string[];
  /** Files of `partial/` that nobody went on with, by their paths below the store. */
  readonly partial: readonly string[];
  /** Versions that stay, with what keeps them: where it was asked for. */
  readonly kept?: readonly GcKept[];
  /** Bytes of storage. */
  readonly freedBytes: number;
}

/** A blob that nothing needs. */
export interface GcBlob {
  readonly digest: Digest;
  readonly kind: BlobKind;
  /** Bytes of the file. */
  readonly bytes: number;
  /** RFC 3339, UTC: when something let go of it last, or it was written. */
  readonly since: string;
  /** Why it is not needed any more, in words. */
  readonly why: string;
}

/** One collection that deleted something: a line of its log. */
export interface GcRun {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  /** How many. */
  readonly blobs: number;
  /** How many entries of the trash. */
  readonly trash: number;
  /** Bytes of storage. */
  readonly freedBytes: number;
}

/** What changed in a store: `events`. */
export type StoreEvent =
  /** The first one: what happens from here on is told. */
  | { readonly kind: 'ready' }
  /** A ref was made, moved or removed. None is left out, and they come in their order. */
  | { readonly kind: 'ref'; readonly move: RefMove }
  | { readonly kind: 'ref-protected' | 'ref-unprotected'; readonly ref: string }
  /** `env-changed`: it stands on another version, or tracks another ref. What is written into it is not told. */
  | {
      readonly kind: 'env-created' | 'env-changed' | 'env-removed';
      readonly name: string;
      readonly version: Digest;
      readonly ref: string | null;
    }
  /** `trash-removed`: it was restored, or deleted. */
  | { readonly kind: 'trash-added' | 'trash-removed'; readonly id: string }
  | { readonly kind: 'gc'; readonly run: GcRun };

/** A version that stays. */
export interface GcKept {
  readonly digest: Digest;
  /** What needs it, in words: `ref debian:12`. One of several. */
  readonly by: string;
}

/** What a blob is; `other` is an unreferenced document of no known kind. */
export type BlobKind = 'manifest' | 'config' | 'layer' | 'other';

/** Something that `fsck` found. */
export interface FsckProblem {
  readonly kind:
    | 'blob-changed'
    | 'blob-missing'
    | 'blob-unreadable'
    | 'blob-misnamed'
    | 'blob-writable'
    | 'document-broken'
    | 'layer-broken'
    | 'layer-parent'
    | 'layer-in-use'
    | 'layer-mutable'
    | 'ref-broken'
    | 'env-broken'
    | 'env-leaks'
    | 'trash-broken'
    | 'log-broken'
    | 'journal-broken'
    | 'stray';
  /** A path below the store, or a digest or ref. */
  readonly where: string;
  readonly message: string;
  readonly standing: Standing;
  /** What mends it: a command where one does. */
  readonly hint: string;
  /** The blob whose right bytes would mend it: what `fsck --repair --from` looks for. */
  readonly needs: Digest | null;
}

/** Something that `fsck --repair` put right. */
export interface FsckMended {
  readonly kind: FsckProblem['kind'];
  readonly where: string;
  readonly message: string;
}

/** `fsck --json`. */
export interface FsckReport {
  readonly problems: readonly FsckProblem[];
  /** What a repair put right; empty without one. */
  readonly mended: readonly FsckMended[];
  /** What could not be looked at, by its path below the store, and why: an overlay that is in use. */
  readonly skipped: readonly { readonly where: string; readonly message: string }[];
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
  /** Whether it may be neither moved nor removed. */
  readonly protected: boolean;
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
