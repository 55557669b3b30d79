import { basename, dirname, extname, isAbsolute } from 'node:path';
import type { AdoptNode } from './adopt-forest.ts';
import { distinctNames } from './distinct-names.ts';
import { isEnvName } from './env-name.ts';
import { isRefName, refNameOfFile } from './ref-name.ts';

/** What images are to be called: a ref's path without a tag, or an env's name. */
export type AdoptNames = ReadonlyMap<AdoptNode, string>;

/**
 * Names for versions: `debian` for `debian.qcow2`. Where two files want one name, each has its folder in it, `a/debian`, then
 * what kind of file it is, `a/debian-img`, then a number.
 */
export function refNames(nodes: readonly AdoptNode[]): AdoptNames {
  return distinctNames(nodes, ({ file }) => {
    const plain = slug(file) ?? 'disk';
    const path = [...foldersOf(file), plain].join('/');
    const whole = isRefName(path) ? path : plain;
    return [plain, whole, `${whole}${kindOf(file)}`];
  });
}

/** Names for envs: as for versions, with `-` between folders, and in the letters that the file has. */
export function envNames(nodes: readonly AdoptNode[]): AdoptNames {
  return distinctNames(nodes, ({ file }) => {
    const plain = envName([withoutKind(file)]);
    const whole = envName([...foldersOf(file), withoutKind(file)]);
    return [plain, whole, envName([whole, kindOf(file).slice(1)])];
  });
}

/** The last folder alone of a file that lies outside: where it lies is nobody's business. */
function foldersOf(file: string): string[] {
  const folders = isAbsolute(file) ? [basename(dirname(file))] : dirname(file).split('/');
  return folders.flatMap((folder) => slug(`${folder}.`) ?? []);
}

/** A ref's path of a file's name. */
function slug(file: string): string | undefined {
  return refNameOfFile(basename(file))?.replace(/:latest$/, '');
}

/** `-qcow2`, or nothing. */
function kindOf(file: string): string {
  const kind = extname(file)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '');
  return kind === '' ? '' : `-${kind}`;
}

function withoutKind(file: string): string {
  return basename(file, extname(file));
}

/** Room for a number is left. */
const LONGEST = 55;

function envName(parts: readonly string[]): string {
  const name = parts
    .filter((part) => part !== '')
    .join('-')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, LONGEST);
  return isEnvName(name) ? name : 'env';
}
