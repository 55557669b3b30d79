import { CalveError, type ErrorCode } from '../../errors/index.ts';
import { digestBytes, type HashName, parseHashName } from './hash-name.ts';

const MODES = ['xts', 'cbc', 'ctr', 'ecb'] as const;
const IV_GENERATORS = ['plain', 'plain64', 'essiv'] as const;
/** AES-128, AES-192, AES-256. */
const KEY_BYTES: readonly number[] = [16, 24, 32];

type CipherMode = (typeof MODES)[number];
/**
 * How a sector's number becomes its initialization vector: `plain` its low 32 bits, `plain64` all 64, `essiv` these
 * encrypted under a hash of the key.
 */
export type IvGenerator = (typeof IV_GENERATORS)[number];

/** How sectors are encrypted; AES is the one block cipher. */
export interface CipherSpec {
  /** The whole key's; two AES keys for `xts`. */
  readonly keyBytes: number;
  readonly mode: CipherMode;
  readonly ivgen: IvGenerator;
  /** The hash of `essiv`; others have no use for theirs. */
  readonly ivgenHash?: HashName;
}

/**
 * A LUKS header's cipher-name, cipher-mode (`xts-plain64`, `cbc-essiv:sha256`) and key-bytes, each checked.
 * @throws CalveError `invalid` or `unsupported`, with `data.field` and `data.value`
 */
export function parseCipherSpec(cipherName: string, cipherMode: string, keyBytes: number): CipherSpec {
  if (cipherName !== 'aes') throw refusal('unsupported', 'cipher-name', 'aes', cipherName);
  const parts = /^([^-:]+)-([^-:]+)(?::(.*))?$/s.exec(cipherMode);
  if (!parts) throw refusal('invalid', 'cipher-mode', 'MODE-IVGEN or MODE-IVGEN:HASH', cipherMode);
  const mode = MODES.find((known) => known === parts[1]);
  if (!mode) throw refusal('unsupported', 'cipher-mode', `a mode of ${MODES.join(', ')}`, cipherMode);
  const ivgen = IV_GENERATORS.find((known) => known === parts[2]);
  const generators = IV_GENERATORS.join(', ');
  if (!ivgen) throw refusal('unsupported', 'cipher-mode', `an IV generator of ${generators}`, cipherMode);
  const ivgenHash = parts[3] === undefined ? undefined : parseHashName(parts[3], 'cipher-mode');
  if (ivgen === 'essiv' && (!ivgenHash || !KEY_BYTES.includes(digestBytes(ivgenHash)))) {
    throw refusal('invalid', 'cipher-mode', 'essiv with a hash that is as long as an AES key', cipherMode);
  }
  if (!KEY_BYTES.includes(mode === 'xts' ? keyBytes / 2 : keyBytes)) {
    const expected = mode === 'xts' ? '32, 48 or 64, as the mode is xts' : '16, 24 or 32';
    throw refusal('invalid', 'key-bytes', expected, keyBytes);
  }
  return { keyBytes, mode, ivgen, ...(ivgenHash === undefined ? {} : { ivgenHash }) };
}

/** The header's cipher-mode for a specification. */
export function cipherModeText({ mode, ivgen, ivgenHash }: CipherSpec): string {
  return ivgenHash === undefined ? `${mode}-${ivgen}` : `${mode}-${ivgen}:${ivgenHash}`;
}

function refusal(code: ErrorCode, field: string, expected: string, value: string | number): CalveError {
  return new CalveError(code, `${field}: expected ${expected}, got ${JSON.stringify(value)}`, {
    data: { field, value },
  });
}
