import type { CreateEncryption } from '../../../qcow2/index.ts';
import { imgError } from '../img-error.ts';
import { foreignFormat } from '../opening/foreign-format.ts';
import type { Secrets } from '../options/secrets.ts';

const PREFIX = 'encrypt.';
const CIPHERS = ['aes-128', 'aes-192', 'aes-256'] as const;
const MODES = ['xts', 'cbc'] as const;
const GENERATORS = ['plain', 'plain64', 'essiv'] as const;
const HASHES = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512', 'ripemd160'] as const;
/** What QEMU has, and we have not: such an image is left to it. */
const FOREIGN: Readonly<Record<string, readonly string[]>> = {
  'cipher-alg': [
    'des',
    '3des',
    'cast5-128',
    'serpent-128',
    'serpent-192',
    'serpent-256',
    'twofish-128',
    'twofish-192',
    'twofish-256',
  ],
  'cipher-mode': ['ecb', 'ctr'],
};

/**
 * The encryption that `encrypt.…` and `encryption` ask for.
 * @throws CalveError in qemu-img's words; that of `foreignFormat`
 */
export function encryptionOptions(
  given: ReadonlyMap<string, string>,
  secrets: Secrets,
): CreateEncryption | undefined {
  const legacy = given.get('encryption');
  const format = given.get('encrypt.format');
  if (legacy !== undefined && format !== undefined) {
    throw imgError("'encrypt.format' and its alias 'encryption' can't be used at the same time");
  }
  const isAsked = [...given.keys()].some((name) => name.startsWith(PREFIX));
  const method = format ?? (legacy === 'on' ? 'aes' : undefined);
  if (method === undefined) {
    if (isAsked) throw imgError("Parameter 'encrypt.format' is missing");
    return undefined;
  }
  if (method !== 'luks' && method !== 'aes') {
    throw imgError(`Parameter 'format' does not accept value '${method}'`);
  }
  const value = <Value extends string>(name: string, values: readonly Value[]): Value | undefined => {
    const typed = given.get(PREFIX + name);
    const found = values.find((each) => each === typed);
    if (typed === undefined || found !== undefined) return found;
    if (FOREIGN[name]?.includes(typed) === true) throw foreignFormat('luks');
    throw imgError(`Parameter '${name}' does not accept value '${typed}'`);
  };
  const luks = {
    cipherAlg: value('cipher-alg', CIPHERS),
    cipherMode: value('cipher-mode', MODES),
    ivgenAlg: value('ivgen-alg', GENERATORS),
    ivgenHashAlg: value('ivgen-hash-alg', HASHES),
    hashAlg: value('hash-alg', HASHES),
  };
  const id = given.get('encrypt.key-secret');
  if (id === undefined) throw imgError("Parameter 'encrypt.key-secret' is required for cipher");
  const passphrase = secrets.get(id);
  if (method === 'aes') return { passphrase, method };
  const iterTime = Number(given.get('encrypt.iter-time') ?? 0);
  return { passphrase, method, ...saidOf(luks), ...(iterTime > 0 && { iterTime }) };
}

/** Without what was not said. */
function saidOf<T extends object>(options: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const said: { [Key in keyof T]?: Exclude<T[Key], undefined> } = {};
  for (const key in options) {
    const value = options[key];
    if (isSaid(value)) said[key] = value;
  }
  return said;
}

function isSaid<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined;
}
