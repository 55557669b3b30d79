import { CalveError } from '../errors/index.ts';

/** An extent of a VMDK. */
export interface VmdkExtent {
  readonly access: string;
  readonly sectors: string;
  readonly type: string;
  /** Undefined for zeros. */
  readonly file: string | undefined;
  /** Of the first sector in a flat file. */
  readonly offset: string | undefined;
}

/** What of a VMDK descriptor says how its disk is read. */
export interface VmdkDescriptor {
  readonly createType: string;
  readonly extents: readonly VmdkExtent[];
}

/** The kinds that QEMU reads and that stand on nothing. */
const KINDS = ['monolithicFlat', 'twoGbMaxExtentFlat', 'twoGbMaxExtentSparse', 'vmfs', 'vmfsSparse'];
const EXTENT = /^(RW|RDONLY) (\d{1,15}) (FLAT|SPARSE|VMFS|VMFSSPARSE) "([^"]*)"(?: (\d{1,15}))?$/;
const ZERO_EXTENT = /^(RW|RDONLY) (\d{1,15}) (ZERO)$/;
const NO_PARENT = /^parentCID=ffffffff$/i;

/**
 * Reads a descriptor file ("Virtual Disk Format 5.0"). What is not understood for sure is refused.
 * @param path of the file, for errors
 * @throws CalveError `unsupported`, `invalid`
 */
export function parseDescriptor(text: string, path: string): VmdkDescriptor {
  // As QEMU reads it: a zero byte ends it.
  const [whole = ''] = text.split('\0');
  const lines = whole.split(/\r?\n/).map((line) => line.trim());
  const createType = lines.map((line) => /^createType\s*=\s*"(.*)"$/.exec(line)?.[1]).find(Boolean);
  if (createType === undefined || !KINDS.includes(createType)) {
    throw new CalveError(
      'unsupported',
      `${path}: createType: expected ${KINDS.join(', ')}, got ${createType}`,
    );
  }
  const parent = lines.find((line) => /^parent(CID|FileNameHint)/i.test(line) && !NO_PARENT.test(line));
  if (parent !== undefined) {
    throw new CalveError('unsupported', `${path}: stands on a parent, which is not followed: ${parent}`, {
      hint: 'consolidate its snapshots first',
    });
  }
  const extents = lines
    .filter((line) => /^(RW|RDONLY|NOACCESS)\s/.test(line))
    .map((line) => extentOf(line, path));
  if (extents.length === 0)
    throw new CalveError('invalid', `${path}: expected at least one extent, got none`);
  return { createType, extents };
}

function extentOf(line: string, path: string): VmdkExtent {
  const [, access, sectors, type, file, offset] = EXTENT.exec(line) ?? ZERO_EXTENT.exec(line) ?? [];
  if (access === undefined || sectors === undefined || type === undefined) {
    throw new CalveError('unsupported', `${path}: expected an extent, got ${JSON.stringify(line)}`);
  }
  return { access, sectors, type, file, offset };
}

/** A descriptor of nothing but what was read. */
export function encodeDescriptor({ createType, extents }: VmdkDescriptor): string {
  const lines = extents.map(({ access, sectors, type, file, offset }) =>
    [
      access,
      sectors,
      type,
      ...(file === undefined ? [] : [`"${file}"`]),
      ...(offset === undefined ? [] : [offset]),
    ].join(' '),
  );
  const head = ['# Disk DescriptorFile', 'version=1', 'CID=00000001', 'parentCID=ffffffff'];
  return [...head, `createType="${createType}"`, '', '# Extent description', ...lines, ''].join('\n');
}
