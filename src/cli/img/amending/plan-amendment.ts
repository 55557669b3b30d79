import type { Amendment, Qcow2Header } from '../../../qcow2/index.ts';
import { imgError } from '../img-error.ts';
import { foreignFormat } from '../opening/foreign-format.ts';

/** What an image becomes. */
export interface PlannedAmendment {
  readonly amendment: Amendment;
  /** Bytes; undefined where it stays. */
  readonly size: bigint | undefined;
}

/**
 * Checks amendments against an image, in the order in which QEMU does; nothing is changed yet.
 * @throws CalveError in qemu-img's words; that of `foreignFormat` for the slots of a LUKS header
 */
export function planAmendment(given: ReadonlyMap<string, string>, header: Qcow2Header): PlannedAmendment {
  const version = versionOf(given.get('compat'), header);
  if (given.has('backing_file') || given.has('backing_fmt')) refuseBacking(given, header);
  if ([...given.keys()].some((name) => name.startsWith('encrypt.'))) {
    if (header.cryptMethod === 'none') {
      throw imgError("Can't amend encryption options - encryption not present");
    }
    if (header.cryptMethod !== 'luks') {
      throw imgError('Only LUKS encryption options can be amended for qcow2 with encryption');
    }
    throw foreignFormat('luks');
  }
  const dataFile = given.get('data_file');
  const dataFileRaw = flag(given, 'data_file_raw');
  if (dataFileRaw === true && !header.autoclear.has('raw external data')) {
    throw imgError('data-file-raw cannot be set on existing images');
  }
  if (dataFile !== undefined && !header.incompatible.has('external data file')) {
    throw imgError('data-file can only be set for images that use an external data file');
  }
  const bits = given.get('refcount_bits');
  const refcountBits = bits === undefined ? undefined : Number(bits);
  if (refcountBits !== undefined) checkWidth(refcountBits);
  checkWidthOfVersion(refcountBits, version ?? header.version, header);
  const lazyRefcounts = flag(given, 'lazy_refcounts');
  const isLazy = header.compatible.has('lazy refcounts');
  if (lazyRefcounts === true && !isLazy && (version ?? header.version) < 3) {
    throw imgError(
      'Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)',
    );
  }
  const size = given.get('size');
  const amendment = {
    version,
    refcountBits,
    // A downgrade takes them away, also where it was asked to leave them.
    lazyRefcounts: version === 2 ? undefined : lazyRefcounts,
    dataFile: dataFile === '' ? null : dataFile,
    dataFileRaw,
  };
  return { amendment, size: size === undefined ? undefined : BigInt(size) };
}

function versionOf(compat: string | undefined, { version }: Qcow2Header): 2 | 3 | undefined {
  const found = compat === undefined ? undefined : VERSIONS[compat];
  if (compat !== undefined && found === undefined) throw imgError(`Unknown compatibility level ${compat}`);
  return found === version ? undefined : found;
}

const VERSIONS: Readonly<Record<string, 2 | 3>> = { '0.10': 2, v2: 2, '1.1': 3, v3: 3 };

/** What is said of the backing file may be what the image says already, and nothing else. */
function refuseBacking(given: ReadonlyMap<string, string>, header: Qcow2Header): void {
  const isAsBefore = (name: string, present: string | undefined) =>
    !given.has(name) || given.get(name) === present;
  if (isAsBefore('backing_file', header.backingFile) && isAsBefore('backing_fmt', header.backingFormat))
    return;
  throw imgError('Cannot amend the backing file', { more: "You can use 'qemu-img rebase' instead." });
}

function flag(given: ReadonlyMap<string, string>, name: string): boolean | undefined {
  const value = given.get(name);
  return value === undefined ? undefined : value === 'on';
}

function checkWidth(bits: number): void {
  if (bits > 0 && bits <= 64 && Number.isInteger(Math.log2(bits))) return;
  throw imgError('Refcount width must be a power of two and may not exceed 64 bits');
}

function checkWidthOfVersion(asked: number | undefined, version: 2 | 3, header: Qcow2Header): void {
  if (version === 3) return;
  if (asked !== undefined && asked !== 16) {
    throw imgError(
      'Refcount widths other than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)',
    );
  }
  if ((asked ?? header.refcountBits) !== 16) throw imgError('compat=0.10 requires refcount_bits=16');
}
