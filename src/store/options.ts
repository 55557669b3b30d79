import type { ForeignFormat, NativeFormat } from '../img/index.ts';
import type { Digest } from '../oci/index.ts';
import type { RegistryOptions } from '../registry/index.ts';
import type { BlobSource } from './blob-source.ts';
import type { BlobProgress, Compression, NearestSearch, WorkOptions } from './types.ts';

/** The value of `onto` that has the nearest version found. */
export const AUTO = 'auto';

/** `import`. */
export interface ImportOptions extends WorkOptions {
  /**
   * The ref to make, or to move if it points at `onto`. Default: made of the file's name (`debian-12.qcow2` becomes
   * `debian-12:latest`); null: none, and the version lasts until gc's grace is over.
   */
  readonly ref?: string | null | undefined;
  readonly message?: string | undefined;
  /**
   * The version to store the difference to, which becomes the parent (default null: store the whole disk). `auto`
   * finds the nearest one by a sample of the disk: the version of `ref` where that is there, else any; a ref that is
   * called so is `auto:latest`.
   */
  readonly onto?: string | null | undefined;
  /** Told what `auto` found, before the disk is read. */
  readonly onNearest?: ((found: NearestSearch) => void) | undefined;
  /**
   * The most bytes of a layer's file: what is larger becomes several layers, each backing the next (default: one
   * layer, however large).
   */
  readonly maxLayerSize?: number | undefined;
  /** Default: the setting `compression`, which is zstd unless it was set. */
  /**
   * Default: what the file begins as, else raw. All but raw and qcow2 are read by an installed qemu-img; a VHD (`vpc`) of
   * a fixed size must be said to be one.
   */
  readonly format?: NativeFormat | ForeignFormat | undefined;
  /**
   * Follow what the image names: its backing files, each of which becomes a version below it, and data files (default
   * false: such an image is refused). Only for images that are trusted to name no file of somebody else.
   */
  readonly chain?: boolean | undefined;
  /** Make a version of each internal snapshot, below that of the image's current state (default false). */
  readonly snapshots?: boolean | undefined;
  /** Opens images that are encrypted. It is the caller's, to be wiped when the import is done. */
  readonly passphrase?: Uint8Array | undefined;
  readonly compression?: Compression | undefined;
}

/** `adopt`. */
export interface AdoptOptions extends WorkOptions {
  /** Only find out what would be done (default false). */
  readonly dryRun?: boolean | undefined;
  /** Also take backing files and data files that lie outside of the folder (default false). */
  readonly follow?: boolean | undefined;
  readonly compression?: Compression | undefined;
}

/** `export`. */
export interface ExportOptions extends WorkOptions {
  /** Default qcow2, and over NBD raw, which is all that there is. */
  readonly format?: 'raw' | 'qcow2' | undefined;
  /** Replace a file that is there (default false). */
  readonly force?: boolean | undefined;
}

/** `commit`. */
export interface CommitOptions extends WorkOptions {
  readonly message?: string | undefined;
  /** The ref to set, which the env tracks from then on (default: the one that it tracks). */
  readonly ref?: string | undefined;
  /**
   * Store the whole disk as one layer, which stands on nothing (default false). So may an env be committed that
   * changed nothing, if its version has more layers than one.
   */
  readonly squash?: boolean | undefined;
  /** Default: the setting `compression`, which is zstd unless it was set. */
  readonly compression?: Compression | undefined;
}

/** `diff` by files. */
export interface FileDiffOptions extends WorkOptions {
  /** Only this partition: its number, or the label or UUID of what it holds (default: all that can be read). */
  readonly partition?: string | undefined;
  /** Tell what was deleted in one place and added in another as one (default true). */
  readonly renames?: boolean | undefined;
}

/** `diff --content`. */
export interface FileContentsOptions extends WorkOptions {
  /** The partition: its number, or the label or UUID of what it holds (default: the one that looks like the root). */
  readonly partition?: string | undefined;
  /** Bytes: what is larger is not read. */
  readonly most: number;
}

/** `log`. */
export interface LogOptions {
  /** No more versions than this. */
  readonly limit?: number | undefined;
  /** Only versions in which what lies there inside the disk is not what it is in the first parent. */
  readonly path?: string | undefined;
  /** The partition that `path` is in (default: the one that looks like the root). */
  readonly partition?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a remote is spoken to. */
export interface RemoteOptions extends WorkOptions {
  /** TLS, credentials, times, tries: for registries alone. */
  readonly registry?: RegistryOptions | undefined;
  /** Told how far each layer is. */
  readonly onBlob?: ((progress: BlobProgress) => void) | undefined;
}

/** `new`. The options of remotes are for what has to be pulled first. */
export interface CreateOptions extends RemoteOptions {
  /** Default: a name is made up; of several `NAME-1`, `NAME-2` … */
  readonly name?: string | undefined;
  /** How many (default 1). */
  readonly count?: number | undefined;
}

/** `pull`. */
export interface PullOptions extends RemoteOptions {
  /** The ref to make or move (default: the last part of the remote's name, with its tag); null: none. */
  readonly ref?: string | null | undefined;
  /** How many generations of the history come: 1 is the version alone (default: all). */
  readonly depth?: number | undefined;
  /** Fetch the layers of all versions that come, not of the newest alone (default false). */
  readonly all?: boolean | undefined;
  /** Move the ref also when its version does not lead to the one that comes (default false). */
  readonly force?: boolean | undefined;
}

/** `push`. */
export interface PushOptions extends RemoteOptions {
  /** How many generations of the history go: 1 is the version alone (default: all). */
  readonly depth?: number | undefined;
  /** Replace what the remote has under this name also when it does not lead to the version that goes (default false). */
  readonly force?: boolean | undefined;
}

/** `fsck --repair`. */
export interface RepairOptions extends WorkOptions {
  /**
   * Where blobs come from that are harmed or missing: a repository of a registry, the folder of another store or of an OCI
   * image layout (with or without `oci:` before it), or anything that hands out blobs. Without it, what needs a source stays
   * as it is.
   */
  readonly from?: string | BlobSource | undefined;
  /** How the registry is spoken to. */
  readonly registry?: RegistryOptions | undefined;
}

/** `gc`. Days may be fractions; 0 is now. */
export interface GcOptions {
  /** Delete nothing (default false). */
  readonly dryRun?: boolean | undefined;
  /** How long a version stays after something let go of it (default: the setting `gc.graceDays`). */
  readonly graceDays?: number | undefined;
  /** How long what a ref pointed at stays after the ref moved (default: the setting `gc.historyDays`). */
  readonly historyDays?: number | undefined;
  /** Tell of every version that stays what keeps it (default false). */
  readonly explainKept?: boolean | undefined;
}

/** `events`. */
export interface EventOptions {
  /** Ends the events. */
  readonly signal?: AbortSignal | undefined;
  /** The id of a ref's move: first those that came after it are told. */
  readonly since?: string | undefined;
}

/** `nbdExports`. */
export interface NbdExportsOptions {
  /** Clients may not write environments either (default false). */
  readonly readOnly?: boolean | undefined;
  /** How many clients may use an export at a time; 0 is any number (default 0). */
  readonly maxClients?: number | undefined;
  /** Clients may ask how deep in the chain a block lies (`qemu:allocation-depth`; default false). */
  readonly allocationDepth?: boolean | undefined;
  /** The ref or env that clients get who name none (default: the only one that there is, if it is). */
  readonly default?: string | undefined;
}

/** What a target's name stands for. */
export type Target =
  | { readonly kind: 'env'; readonly name: string; readonly version: Digest }
  | { readonly kind: 'version'; readonly version: Digest };
