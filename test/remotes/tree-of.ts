import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { statFile } from '../../src/host/index.ts';
import { digestOf } from '../../src/oci/index.ts';

/** What a store may write while it refuses something: what transfers go on from, and what can be found out again. */
const LOSABLE = /^(?:partial|stamps|cache|tmp)\/|^lock$/;

/** The files of a store, each with its bytes' digest; of blobs, whose names say it, with their size. */
export async function treeOf(store: string): Promise<string[]> {
  const entries = await readdir(store, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const kept = paths.filter((path) => !LOSABLE.test(relative(store, path))).sort();
  return Promise.all(
    kept.map(async (path) => {
      const name = relative(store, path);
      return `${name} ${name.startsWith('blobs/') ? statFile(path)?.size : digestOf(await readFile(path))}`;
    }),
  );
}
