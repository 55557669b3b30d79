import { extentsOf } from '../../../disk/index.ts';
import type { HostExtent, Qcow2Disk } from '../../../qcow2/index.ts';
import type { BlockNode } from '../opening/block-node.ts';
import type { Allocation } from './allocation.ts';
import { isPreallocated } from './is-preallocated.ts';
import { mapContext } from './map-context.ts';

/** What a range of an image and of its chain is, as `map` counts. Neighbours may be alike. */
export async function* mapNode(
  node: BlockNode,
  offset: number,
  length: number,
  depth = 0,
): AsyncGenerator<Allocation> {
  if (node.qcow2 !== undefined) yield* mapImage(node, node.qcow2, offset, length, depth);
  else yield* mapPlain(node, offset, length, depth);
}

async function* mapImage(
  node: BlockNode,
  qcow2: Qcow2Disk,
  offset: number,
  length: number,
  depth: number,
): AsyncGenerator<Allocation> {
  const file = node.dataFile ?? node.file;
  // Under a cipher, or on a network, there is no file in which the guest's bytes lie.
  const isReadable = qcow2.header.cryptMethod === 'none';
  const looksBelow = isReadable && isPreallocated(node);
  for await (const extent of qcow2.hostExtents(offset, length)) {
    const { kind } = extent;
    if (kind === 'unallocated') {
      yield* mapBelow(node, extent, depth);
      continue;
    }
    const isZero = kind === 'zero' || kind === 'zero-allocated';
    const host = isReadable ? extent.host : undefined;
    const filename = host === undefined ? undefined : file?.filename;
    const found = { depth, present: true, zero: isZero, data: !isZero, host, filename };
    if (looksBelow && host !== undefined && file !== undefined) {
      yield* withHoles({ ...extent, ...found, host }, file);
    } else yield { offset: extent.offset, length: extent.length, ...found };
  }
}

/** What nobody wrote reads as the backing file does, and zeros past the end of that. */
async function* mapBelow(
  { backing }: BlockNode,
  { offset, length }: HostExtent,
  depth: number,
): AsyncGenerator<Allocation> {
  const below = backing === undefined ? 0 : Math.max(0, Math.min(length, backing.disk.size - offset));
  if (backing !== undefined && below > 0) yield* mapNode(backing, offset, below, depth + 1);
  if (below === length) return;
  const nowhere = { present: false, zero: true, data: false, host: undefined, filename: undefined };
  yield { offset: offset + below, length: length - below, depth, ...nowhere };
}

/** Clusters that have their places may never have been written: the file has holes there. */
async function* withHoles(
  found: Allocation & { readonly host: number },
  file: BlockNode,
): AsyncGenerator<Allocation> {
  const there = Math.max(0, Math.min(found.length, file.disk.size - found.host));
  for await (const { offset, length, kind } of extentsOf(file.disk, found.host, there)) {
    const { offset: from, host, ...rest } = found;
    yield { ...rest, offset: from + offset - host, host: offset, length, zero: rest.zero || kind !== 'data' };
  }
  if (there < found.length) {
    const { offset, host, length } = found;
    yield { ...found, offset: offset + there, host: host + there, length: length - there, zero: true };
  }
}

async function* mapPlain(
  node: BlockNode,
  offset: number,
  length: number,
  depth: number,
): AsyncGenerator<Allocation> {
  const file = node.file ?? node;
  const start = typeof node.options['offset'] === 'number' ? node.options['offset'] : 0;
  if (file.context !== undefined) {
    return yield* mapContext(file.context, { start, offset, length }, { depth, filename: file.filename });
  }
  for await (const extent of extentsOf(node.disk, offset, length)) {
    const isData = extent.kind === 'data';
    const isKnown = node.driver !== 'null-co' || node.options['read-zeroes'] === true;
    yield {
      offset: extent.offset,
      length: extent.length,
      depth,
      present: isKnown,
      zero: isKnown && !isData,
      data: isKnown && isData,
      host: isKnown ? start + extent.offset : undefined,
      filename: isKnown ? file.filename : undefined,
    };
  }
}
