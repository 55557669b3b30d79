import { join, sep } from 'node:path';
import { type Digest, hexOf } from '../oci/index.ts';

/** Where things lie in a store. Every path is absolute. */
export class StoreLayout {
  /** The store's folder, as an absolute real path: two spellings of one store are one. */
  readonly folder: string;
  readonly blobs: string;
  readonly envs: string;

  constructor(folder: string) {
    this.folder = folder;
    this.blobs = join(folder, 'blobs', 'sha256');
    this.envs = join(folder, 'envs');
  }

  get index(): string {
    return join(this.folder, 'index.json');
  }
  get config(): string {
    return join(this.folder, 'config.json');
  }
  get ociLayout(): string {
    return join(this.folder, 'oci-layout');
  }
  get stamps(): string {
    return join(this.folder, 'stamps');
  }
  get trash(): string {
    return join(this.folder, 'trash');
  }
  get refLog(): string {
    return join(this.folder, 'logs', 'refs.jsonl');
  }
  get gcLog(): string {
    return join(this.folder, 'logs', 'gc.jsonl');
  }
  get journal(): string {
    return join(this.folder, 'journal');
  }
  /** Files that lay under a blob's name and were not it; made when there is one. */
  get harmed(): string {
    return join(this.folder, 'harmed');
  }
  /** What transfers that were cut off go on from; made when there is something to keep. */
  get partial(): string {
    return join(this.folder, 'partial');
  }
  /** Which layers are not here, and where they are to be had; made when there is such a layer. */
  get promised(): string {
    return join(this.folder, 'promised');
  }
  get remoteLog(): string {
    return join(this.folder, 'logs', 'remotes.jsonl');
  }
  get tmp(): string {
    return join(this.folder, 'tmp');
  }
  /** What `knownVersions` keeps. May be deleted at any time; its folder is made when there is something to keep. */
  get knownVersions(): string {
    return join(this.folder, 'cache', 'versions');
  }
  get lock(): string {
    return join(this.folder, 'lock');
  }

  // Of thousands of these, `join` is a good part of what a listing costs.
  blob(digest: Digest): string {
    return `${this.blobs}${sep}${hexOf(digest)}`;
  }
  stamp(digest: Digest): string {
    return join(this.stamps, `${hexOf(digest)}.json`);
  }
  env(name: string): string {
    return `${this.envs}${sep}${name}`;
  }
  overlay(name: string): string {
    return `${this.envs}${sep}${name}${sep}${OVERLAY}`;
  }
  envDocument(name: string): string {
    return `${this.envs}${sep}${name}${sep}${ENV_DOCUMENT}`;
  }
  trashed(id: string): string {
    return join(this.trash, id);
  }

  /** Every folder that a store has, outer before inner. */
  get folders(): readonly string[] {
    return [
      join(this.folder, 'blobs'),
      this.blobs,
      this.stamps,
      this.envs,
      this.trash,
      join(this.folder, 'logs'),
      this.journal,
      this.tmp,
    ];
  }
}

/** An env's writable qcow2 file, in the env's folder. */
export const OVERLAY = 'disk.qcow2';
/** What an env is, in the env's folder. */
export const ENV_DOCUMENT = 'env.json';

/**
 * The backing file string of an overlay: it holds from `envs/<name>`, `trash/<id>` and every other folder two
 * levels below the store, wherever the store itself is moved.
 */
export function overlayBacking(tip: Digest): string {
  return `../../blobs/sha256/${hexOf(tip)}`;
}
