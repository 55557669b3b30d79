import type { Snapshot } from '../../../qcow2/index.ts';
import { fullBackingName } from '../opening/backing-name.ts';
import type { BlockNode } from '../opening/block-node.ts';
import type { Json } from '../printing/json-text.ts';
import { qcow2Specific } from './qcow2-specific.ts';

/** What `info` tells of an image, by the names of QEMU's ImageInfo. Sizes in bytes. */
export interface ImageInfo {
  readonly filename: string;
  readonly format: string;
  readonly virtualSize: number;
  /** Undefined where no file system says. */
  readonly actualSize: number | undefined;
  readonly clusterSize: number | undefined;
  readonly isEncrypted: boolean;
  /** Undefined where the format has no such mark. */
  readonly isDirty: boolean | undefined;
  readonly backingFile: string | undefined;
  /** As seen from here; undefined where that cannot be told. */
  readonly fullBackingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly snapshots: readonly Snapshot[];
  readonly formatSpecific: { readonly type: string; readonly data: Json } | undefined;
}

/** Gathers it. Reads the image's own tables, and nothing below. */
export async function imageInfo(node: BlockNode): Promise<ImageInfo> {
  const { qcow2, filename, driver, disk } = node;
  const shared = {
    filename,
    format: driver,
    virtualSize: disk.size,
    actualSize: actualSize(node),
  };
  if (qcow2 === undefined)
    return { ...NOTHING, ...shared, isDirty: lowest(node).driver === 'file' ? false : undefined };
  const { header } = qcow2;
  return {
    ...shared,
    clusterSize: header.clusterSize,
    isEncrypted: header.cryptMethod !== 'none',
    isDirty: header.incompatible.has('dirty'),
    backingFile: header.backingFile,
    fullBackingFile: header.backingFile && fullName(node, header.backingFile),
    backingFormat: header.backingFormat,
    snapshots: await qcow2.snapshots(),
    formatSpecific: { type: 'qcow2', data: await qcow2Specific(qcow2) },
  };
}

const NOTHING = {
  clusterSize: undefined,
  isEncrypted: false,
  backingFile: undefined,
  fullBackingFile: undefined,
  backingFormat: undefined,
  snapshots: [],
  formatSpecific: undefined,
};

function fullName(node: BlockNode, backingFile: string): string | undefined {
  try {
    return fullBackingName(node.plainName, backingFile, node.filename);
  } catch {
    return undefined;
  }
}

/** What a format, or a format in a format, lies in in the end. */
function lowest(node: BlockNode): BlockNode {
  return node.file === undefined ? node : lowest(node.file);
}

function actualSize(node: BlockNode): number | undefined {
  const { driver, hostFile } = lowest(node);
  if (driver === 'null-co') return 0;
  return hostFile?.stat().allocated;
}
