import { fileAttributes } from '../../host/index.ts';
import { ACLS, storedAcl } from '../acl-attribute.ts';
import type { ExtendedAttribute, FileTree } from '../file-tree.ts';
import type { Inode } from '../inode.ts';
import { isCopiedAttribute } from './copied-attribute.ts';

/** Attributes for a file in a guest. */
export interface SourceAttributes {
  /** As ext stores them. */
  readonly xattrs: readonly ExtendedAttribute[];
  /** How many could not be told so. */
  readonly lost: number;
}

/** The attributes of a file of the host that mean the same in a guest. @throws CalveError `denied`, `io` */
export function sourceAttributes(path: Buffer): SourceAttributes {
  const xattrs: ExtendedAttribute[] = [];
  let lost = 0;
  for (const { name, value } of fileAttributes(path)) {
    const word = name.toString('latin1');
    if (!isCopiedAttribute(word)) continue;
    const stored = ACLS.includes(word) ? storedAcl(value) : value;
    if (stored === undefined) lost += 1;
    else xattrs.push({ name, value: stored });
  }
  return { xattrs, lost };
}

const KEPT = /^(user|trusted|security)\./;
/** As Linux does it: who may change a program does not give the new one the rights of the old. */
const DROPPED = 'security.capability';

/** The attributes of a guest's file that stay when it is given other content: labels of its security, above all. */
export async function keptAttributes(tree: FileTree, inode: Inode): Promise<ExtendedAttribute[]> {
  return (await tree.xattrs(inode)).filter(({ name }) => {
    const word = name.toString('latin1');
    return word !== DROPPED && (KEPT.test(word) || ACLS.includes(word));
  });
}
