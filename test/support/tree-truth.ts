import type { DiskDifference } from '../../src/guestfs/index.ts';
import type { TreeFacts } from './tree-facts.ts';

/** The paths at which two trees differ, with a byte a character. */
export interface ChangedPaths {
  readonly added: Set<string>;
  readonly modified: Set<string>;
  readonly deleted: Set<string>;
}

const COMPARED = [
  'type',
  'mode',
  'uid',
  'gid',
  'size',
  'mtime',
  'device',
  'target',
  'sha256',
  'attributes',
  'acl',
];

/** What differs between two trees, by all that is known of their files. */
export function changedPaths(before: TreeFacts, after: TreeFacts): ChangedPaths {
  const all = { added: new Set<string>(), modified: new Set<string>(), deleted: new Set<string>() };
  const text = (facts: TreeFacts[string]): string =>
    JSON.stringify(
      COMPARED.map((name) => facts[name]),
      (_, value) => (typeof value === 'bigint' ? `${value}` : value),
    );
  for (const [path, facts] of Object.entries(before)) {
    const now = after[path];
    if (now === undefined) all.deleted.add(path);
    else if (text(facts) !== text(now)) all.modified.add(path);
  }
  for (const path of Object.keys(after)) if (before[path] === undefined) all.added.add(path);
  return all;
}

/** The same of what a comparison without renames told. The root is left out, which the truth does not have either. */
export async function toldPaths(told: AsyncIterable<DiskDifference>): Promise<ChangedPaths> {
  const all = { added: new Set<string>(), modified: new Set<string>(), deleted: new Set<string>() };
  for await (const each of told) {
    if (each.what !== 'file') throw new Error(`expected files alone, got ${each.volume.description}`);
    const { kind, path } = each.change;
    if (kind === 'renamed') throw new Error('expected no renames');
    if (path.length > 0) all[kind].add(path.toString('latin1'));
  }
  return all;
}

/** Paths that are told in another way than they are. */
export function differentPaths(told: ChangedPaths, truth: ChangedPaths): string[] {
  return (['added', 'modified', 'deleted'] as const).flatMap((kind) => [
    ...[...told[kind]].filter((path) => !truth[kind].has(path)),
    ...[...truth[kind]].filter((path) => !told[kind].has(path)),
  ]);
}
