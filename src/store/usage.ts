import type { Digest } from '../oci/index.ts';
import type { KnownVersion } from './known-versions.ts';

/** Something that needs a version: a ref, an env, an entry of the trash. */
export interface Need {
  /** Unique among all needs. */
  readonly label: string;
  readonly version: Digest;
}

/** Needed by more than one. */
export const SHARED: unique symbol = Symbol('shared');

/** Who alone needs a blob; undefined where nobody does. */
export type Owner = string | typeof SHARED | undefined;

/**
 * Who alone needs each blob: what would be freed, in time, if that one need went away. One pass over the versions,
 * children before their parents, for what needs a child needs its ancestors too.
 */
export function blobOwners(
  versions: ReadonlyMap<Digest, KnownVersion>,
  needs: readonly Need[],
): Map<Digest, Owner> {
  const ofVersion = new Map<Digest, Owner>();
  for (const { version, label } of needs) ofVersion.set(version, both(ofVersion.get(version), label));
  const owners = new Map<Digest, Owner>();
  for (const version of childrenFirst(versions)) {
    const owner = ofVersion.get(version.digest);
    for (const parent of version.config.parents) ofVersion.set(parent, both(ofVersion.get(parent), owner));
    for (const blob of blobsOf(version)) owners.set(blob, both(owners.get(blob), owner));
  }
  return owners;
}

/** What a version consists of: its manifest, its config, its layers. */
export function blobsOf(version: KnownVersion): Digest[] {
  return [version.digest, version.configDigest, ...version.layers.map((layer) => layer.digest)];
}

function both(a: Owner, b: Owner): Owner {
  if (a === undefined || a === b) return b;
  return b === undefined ? a : SHARED;
}

function childrenFirst(versions: ReadonlyMap<Digest, KnownVersion>): KnownVersion[] {
  const children = new Map<Digest, number>();
  for (const { config } of versions.values()) {
    for (const parent of config.parents) children.set(parent, (children.get(parent) ?? 0) + 1);
  }
  const ready = [...versions.values()].filter((version) => !children.has(version.digest));
  const ordered: KnownVersion[] = [];
  for (let version = ready.pop(); version !== undefined; version = ready.pop()) {
    ordered.push(version);
    for (const digest of version.config.parents) {
      const left = (children.get(digest) ?? 0) - 1;
      children.set(digest, left);
      const parent = versions.get(digest);
      if (left === 0 && parent !== undefined) ready.push(parent);
    }
  }
  return ordered;
}
