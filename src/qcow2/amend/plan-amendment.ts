import { CalveError } from '../../errors/index.ts';
import { MAX_BACKING_FILE_NAME, MAX_REFCOUNT_ORDER, REFCOUNT_ORDER_V2 } from '../constants.ts';
import type { Qcow2Header } from '../qcow2-header.ts';
import type { Amendment } from './amend-options.ts';
import { changesHeader } from './amended-header.ts';
import { lacksInVersion2 } from './lacks-in-version-2.ts';

/** The steps that an amendment takes, in the order in which they are taken, which is QEMU's. */
export interface AmendmentPlan {
  readonly upgrade: boolean;
  /** The new width; undefined when it stays. */
  readonly refcountBits: number | undefined;
  /** Names and flags in the header. */
  readonly header: boolean;
  readonly downgrade: boolean;
}

/** QEMU's limit. */
const MAX_BACKING_FORMAT = 15;
const REFCOUNT_BITS_V2 = 2 ** REFCOUNT_ORDER_V2;

/**
 * Every check of an amendment that options and header decide, ahead of any change.
 * @throws CalveError `out-of-range` or `usage`, naming the option; `unsupported` for what the image, or its version to
 *   be, has no room for, with `data.features`
 */
export function planAmendment(path: string, header: Qcow2Header, amendment: Amendment): AmendmentPlan {
  const { version = header.version, refcountBits = header.refcountBits } = amendment;
  check(version === 2 || version === 3, 'version', '2 or 3', version);
  const order = Math.log2(refcountBits);
  const orderIsRight = Number.isInteger(order) && order >= 0 && order <= MAX_REFCOUNT_ORDER;
  check(orderIsRight, 'refcountBits', '1, 2, 4, 8, 16, 32 or 64', refcountBits);
  if (version === 2) {
    const asked = amendment.refcountBits ?? REFCOUNT_BITS_V2;
    check(asked === REFCOUNT_BITS_V2, 'refcountBits', `${REFCOUNT_BITS_V2} in version 2`, asked);
    check(amendment.lazyRefcounts !== true, 'lazyRefcounts', 'false in version 2', 'true');
  }
  checkBacking(path, header, amendment);
  checkDataFile(path, header, amendment);
  const downgrade = version < header.version;
  if (downgrade) refuseLacking(path, header, refcountBits);
  return {
    upgrade: version > header.version,
    refcountBits: refcountBits === header.refcountBits ? undefined : refcountBits,
    header: changesHeader(header, amendment),
    downgrade,
  };
}

/** Whether nothing is left to do. */
export function isNothing({ upgrade, refcountBits, header, downgrade }: AmendmentPlan): boolean {
  return !upgrade && refcountBits === undefined && !header && !downgrade;
}

/** Trap 6, and QEMU's limits of names. */
function checkBacking(path: string, header: Qcow2Header, amendment: Amendment): void {
  const { backingFile, backingFormat } = amendment;
  if (backingFormat !== undefined) {
    checkName('backingFormat', backingFormat, MAX_BACKING_FORMAT);
    if (backingFile === null || (backingFile === undefined && header.backingFile === undefined)) {
      throw new CalveError(
        'usage',
        `${path}: backingFormat: expected a backing file that it is of, got none`,
      );
    }
  }
  if (typeof backingFile !== 'string') return;
  checkName('backingFile', backingFile, MAX_BACKING_FILE_NAME);
  if (backingFormat === undefined) {
    throw new CalveError('usage', `${path}: expected a backing file and its format, got one of the two`);
  }
  if (header.autoclear.has('raw external data') && amendment.dataFileRaw !== false) {
    throw lacking(path, 'a backing file under a data file that is a raw image', ['raw external data']);
  }
}

function checkDataFile(path: string, header: Qcow2Header, amendment: Amendment): void {
  const { dataFile, dataFileRaw } = amendment;
  if (dataFile !== undefined) {
    if (!header.incompatible.has('external data file')) {
      throw lacking(path, 'the name of an external data file in an image that has none', [
        'external data file',
      ]);
    }
    if (dataFile !== null) checkName('dataFile', dataFile, header.clusterSize);
  }
  if (dataFileRaw === true && !header.autoclear.has('raw external data')) {
    throw lacking(path, 'that an external data file becomes a raw image', ['raw external data']);
  }
}

function refuseLacking(path: string, header: Qcow2Header, refcountBits: number): void {
  const lacks = lacksInVersion2({ ...header, refcountBits });
  if (lacks.length === 0) return;
  const hints = lacks.map(({ hint }) => hint(path)).filter((hint) => hint !== undefined);
  throw new CalveError(
    'unsupported',
    `${path}: expected an image without what version 2 lacks, got ${lacks.map(({ name }) => name).join(', ')}`,
    {
      ...(hints.length === 0 ? {} : { hint: hints.join('; ') }),
      data: { path, features: lacks.map(({ feature }) => feature) },
    },
  );
}

function checkName(option: string, name: string, most: number): void {
  const length = Buffer.byteLength(name);
  check(length >= 1 && length <= most, option, `1 to ${most} bytes`, length);
  const readable = !name.includes('\0') && Buffer.from(name).toString() === name;
  check(readable, option, 'a name without zero bytes that UTF-8 can say', JSON.stringify(name));
}

function check(holds: boolean, option: string, expected: string, got: number | string): void {
  if (holds) return;
  throw new CalveError('out-of-range', `${option}: expected ${expected}, got ${got}`, {
    data: { option, value: got },
  });
}

function lacking(path: string, what: string, features: readonly string[]): CalveError {
  return new CalveError('unsupported', `${path}: qcow2 has no way to say ${what}`, {
    data: { path, features },
  });
}
