import type { Disk } from '../../../disk/index.ts';
import type { HostFile } from '../../../host/index.ts';
import type { StatusRange } from '../../../nbd/index.ts';
import type { Qcow2Disk } from '../../../qcow2/index.ts';
import type { Json } from '../printing/json-text.ts';

/** An open image, or what it lies in: QEMU calls each of them a block node. Closing its disk closes all below it. */
export interface BlockNode {
  /** As QEMU calls it: `qcow2`, `raw`, `file`, `nbd`, `null-co`. */
  readonly driver: string;
  /** Its contents; a multiple of 512 bytes, as QEMU counts. It can be written if that was asked for. */
  readonly disk: Disk;
  /** The name as QEMU prints it: a plain one where one says it all, else `json:{…}`. */
  readonly filename: string;
  /** The plain name; undefined where there is none. */
  readonly plainName: string | undefined;
  /** All options of the node that say what it is, in which a `json:` name is written. */
  readonly options: { readonly [key: string]: Json };
  /** What a format lies in; undefined of a protocol. */
  readonly file: BlockNode | undefined;
  /** The file of a node whose bytes lie in one from 0 on. */
  readonly hostFile: HostFile | undefined;
  /** The image, where the driver is qcow2. */
  readonly qcow2: Qcow2Disk | undefined;
  /** Where the guest data of an image lies, if not in `file`. */
  readonly dataFile: BlockNode | undefined;
  /** What lies below it; undefined where nothing does, or it was not opened. */
  readonly backing: BlockNode | undefined;
  /** A metadata context of a server, where one was named that takes the place of the allocation. */
  readonly context:
    | {
        readonly name: string;
        readonly statuses: (offset: number, length: number) => AsyncIterable<StatusRange>;
      }
    | undefined;
  /** The format was not given, and found by what the image begins with. */
  readonly wasProbed: boolean;
}

/** The parts of a node that not every driver has. */
type Further = 'file' | 'hostFile' | 'qcow2' | 'dataFile' | 'backing' | 'context' | 'wasProbed';

/** A node, of what its driver knows. */
export function blockNode(
  parts: Omit<BlockNode, Further | 'filename'> & { readonly filename?: string } & Partial<
      Pick<BlockNode, Further>
    >,
  nameOf: (options: BlockNode['options']) => string,
): BlockNode {
  const { plainName, options } = parts;
  return {
    file: undefined,
    hostFile: undefined,
    qcow2: undefined,
    dataFile: undefined,
    backing: undefined,
    context: undefined,
    wasProbed: false,
    ...parts,
    filename: parts.filename ?? plainName ?? nameOf(options),
  };
}
