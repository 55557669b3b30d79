import { realpathSync } from 'node:fs';
import { fullBackingName } from '../opening/backing-name.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { protocolOf } from '../opening/node-name.ts';

/** An image of a chain, and how many lie above it. */
export interface FoundInChain {
  readonly node: BlockNode;
  readonly depth: number;
}

/**
 * The image below another one that a name stands for, as QEMU looks for it: relative names are taken from the folder of
 * each image in turn that has one below it.
 */
export function findInChain(top: BlockNode, name: string): FoundInChain | undefined {
  let depth = 1;
  for (let above = top; above.backing !== undefined; above = above.backing) {
    const node = above.backing;
    if (node.filename === name || above.qcow2?.header.backingFile === name) return { node, depth };
    if (isSameFile(node.plainName, name, above)) return { node, depth };
    depth += 1;
  }
  return undefined;
}

function isSameFile(path: string | undefined, name: string, above: BlockNode): boolean {
  if (path === undefined || above.plainName === undefined) return false;
  if (protocolOf(name) !== undefined || protocolOf(path) !== undefined) return false;
  const candidate = realPath(fullBackingName(above.plainName, name, above.filename));
  return candidate !== undefined && candidate === realPath(path);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
