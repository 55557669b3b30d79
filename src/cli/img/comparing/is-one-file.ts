import type { HostFile } from '../../../host/index.ts';
import type { Allocation } from '../mapping/allocation.ts';
import type { BlockNode } from '../opening/block-node.ts';

/** Whether two ranges of images' maps lie in the same file of the host. */
export function isOneFile(left: Allocation, a: BlockNode, right: Allocation, b: BlockNode): boolean {
  const [one, other] = [holderOf(a, left.depth), holderOf(b, right.depth)];
  return one !== undefined && other !== undefined && identityOf(one) === identityOf(other);
}

function holderOf(node: BlockNode, depth: number): HostFile | undefined {
  let at: BlockNode | undefined = node;
  for (let left = depth; left > 0; left -= 1) at = at?.backing;
  return (at?.dataFile ?? at?.file ?? at)?.hostFile;
}

/** By open file: a system call for each range would cost more than reading it. */
const identities = new WeakMap<HostFile, string>();

function identityOf(file: HostFile): string {
  const known = identities.get(file);
  if (known !== undefined) return known;
  const { device, inode } = file.stat();
  const identity = `${device}:${inode}`;
  identities.set(file, identity);
  return identity;
}
