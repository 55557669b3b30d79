import { CalveError } from '../../errors/index.ts';
import { calibrateIterations, MOST_ITERATIONS } from './calibrate-iterations.ts';
import { type CipherSpec, type IvGenerator, parseCipherSpec } from './cipher-spec.ts';
import { type HashName, parseHashName } from './hash-name.ts';
import { DIGEST_BYTES } from './luks-fields.ts';

/** How a new image is encrypted; the names and defaults are those of `qemu-img create -o encrypt.…`. */
export interface LuksOptions {
  /** Default `aes-256`. */
  cipherAlg?: 'aes-128' | 'aes-192' | 'aes-256';
  /** Default `xts`. The weaker ones that QEMU offers are only read. */
  cipherMode?: 'xts' | 'cbc';
  /** Default `plain64`. */
  ivgenAlg?: IvGenerator;
  /** Default `sha256` with `essiv`, else none. */
  ivgenHashAlg?: HashName;
  /** Default `sha256`. */
  hashAlg?: HashName;
  /** Milliseconds of PBKDF2 that a guess shall take on this machine, default 2000. */
  iterTime?: number;
  /** In place of `iterTime`. */
  iterations?: Iterations;
  signal?: AbortSignal;
}

/** PBKDF2 iterations, each at least 1. */
interface Iterations {
  readonly keySlot: number;
  readonly masterKey: number;
}

export interface LuksSettings extends Iterations {
  readonly spec: CipherSpec;
  readonly hash: HashName;
}

/** The bytes of an AES key. */
const KEY_BYTES: ReadonlyMap<string, number> = new Map([
  ['aes-128', 16],
  ['aes-192', 24],
  ['aes-256', 32],
]);
const DEFAULT_ITER_TIME = 2000;
/** The master key is random, so that its digest needs less protection than a passphrase does. */
const MASTER_KEY_SHARE = 1 / 8;

/** @throws CalveError `usage`, `unsupported`, `invalid` */
export function luksSettings(options: LuksOptions): LuksSettings {
  const { cipherAlg = 'aes-256', cipherMode = 'xts', ivgenAlg = 'plain64', hashAlg = 'sha256' } = options;
  const aesBytes = KEY_BYTES.get(cipherAlg);
  if (aesBytes === undefined || (cipherMode !== 'xts' && cipherMode !== 'cbc')) {
    const expected = `a cipher of ${[...KEY_BYTES.keys()].join(', ')} and the mode xts or cbc`;
    throw new CalveError('usage', `expected ${expected}, got ${cipherAlg} and ${cipherMode}`);
  }
  if (cipherAlg === 'aes-192' && cipherMode !== 'xts') {
    // 4000 stripes of 24 bytes end inside a sector, at which QEMU aborts.
    throw new CalveError('unsupported', `expected the mode xts with aes-192, got ${cipherMode}`);
  }
  const ivgenHash = options.ivgenHashAlg ?? (ivgenAlg === 'essiv' ? 'sha256' : undefined);
  const suffix = ivgenHash === undefined ? '' : `:${ivgenHash}`;
  const keyBytes = cipherMode === 'xts' ? aesBytes * 2 : aesBytes;
  const spec = parseCipherSpec('aes', `${cipherMode}-${ivgenAlg}${suffix}`, keyBytes);
  const hash = parseHashName(hashAlg, 'hash-spec');
  const iterations = options.iterations ?? calibrated(hash, keyBytes, options.iterTime);
  for (const count of [iterations.keySlot, iterations.masterKey]) {
    if (Number.isInteger(count) && count >= 1 && count <= MOST_ITERATIONS) continue;
    throw new CalveError('usage', `iterations: expected 1 to ${MOST_ITERATIONS}, got ${count}`);
  }
  return { spec, hash, ...iterations };
}

function calibrated(hash: HashName, keyBytes: number, iterTime = DEFAULT_ITER_TIME): Iterations {
  if (!Number.isFinite(iterTime) || iterTime <= 0) {
    throw new CalveError('usage', `iterTime: expected milliseconds above 0, got ${iterTime}`);
  }
  const iterationsIn = calibrateIterations(hash);
  return {
    keySlot: iterationsIn(keyBytes, iterTime),
    masterKey: iterationsIn(DIGEST_BYTES, iterTime * MASTER_KEY_SHARE),
  };
}
