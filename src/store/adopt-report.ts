import type { ErrorCode } from '../errors/index.ts';
import type { Digest } from '../oci/index.ts';

/** A file that `adopt` found, and what became of it. */
export interface AdoptedImage {
  /** Below the folder; absolute where it lies outside. */
  readonly file: string;
  /** The `file` that it stands on. */
  readonly base: string | null;
  /** What others stand on, or what stands on nothing, becomes a version; an overlay that nobody stands on, an env. */
  readonly becomes: 'version' | 'env';
  /**
   * - `adopted`: now
   * - `known`: before; the store has it
   * - `planned`: would be, but for a dry run
   * - `refused`: not; `error` says why
   */
  readonly state: 'adopted' | 'known' | 'planned' | 'refused';
  /** The version that it became, or that its env stands on; null in a dry run, and where it was refused. */
  readonly version: Digest | null;
  /** The ref that names the version. */
  readonly ref: string | null;
  readonly env: string | null;
  /** Bytes of storage that it took in the store. */
  readonly storedBytes: number;
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly hint: string | null } | null;
  /** What the file has and the store has not, a sentence each. */
  readonly warnings: readonly string[];
}

/** `adopt`. */
export interface AdoptReport {
  /** Absolute, links resolved. */
  readonly folder: string;
  readonly dryRun: boolean;
  /** Each after the one that it stands on. */
  readonly images: readonly AdoptedImage[];
  /** What could not be looked into, a sentence each. */
  readonly warnings: readonly string[];
}
