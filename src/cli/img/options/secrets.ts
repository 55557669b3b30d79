import { createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errnoOf } from '../../../errors/index.ts';
import { imgError } from '../img-error.ts';
import { errnoText } from '../printing/errno-text.ts';
import { type ListedOption, parseOptionList } from './option-list.ts';

const PROPERTIES: ReadonlySet<string> = new Set(['qom-type', 'id', 'data', 'file', 'format', 'keyid', 'iv']);
/** Bytes of the AES-256 key and of the vector that a secret is encrypted with. */
const KEY_BYTES = 32;
const VECTOR_BYTES = 16;

/** The secrets that `--object secret,id=…` defines. */
export class Secrets {
  readonly #byId = new Map<string, Uint8Array>();

  /**
   * Defines an object: `secret,id=NAME,data=…` or `file=…`, `format=base64`, and where it is encrypted `keyid=…,iv=…`; or
   * the same as JSON.
   * @throws CalveError in qemu-img's words; `unsupported` for objects other than secrets
   */
  define(text: string): void {
    const given = new Map(propertiesOf(text).map(({ key, value }) => [key, value]));
    const type = given.get('qom-type');
    if (type === undefined) throw imgError("Parameter 'qom-type' is missing");
    if (type !== 'secret') {
      throw imgError(`Parameter 'qom-type' does not accept value '${type}'`, { code: 'unsupported' });
    }
    const id = given.get('id');
    if (id === undefined) throw imgError("Parameter 'id' is missing");
    for (const key of given.keys()) {
      if (!PROPERTIES.has(key)) throw imgError(`Parameter '${key}' is unexpected`);
    }
    const format = given.get('format') ?? 'raw';
    if (format !== 'raw' && format !== 'base64') {
      throw imgError(`Parameter 'format' does not accept value '${format}'`);
    }
    if (this.#byId.has(id)) {
      throw imgError(`attempt to add duplicate property '${id}' to object (type 'container')`);
    }
    this.#byId.set(id, this.#read(given, format));
  }

  /** @throws CalveError in qemu-img's words */
  get(id: string): Uint8Array {
    const found = this.#byId.get(id);
    if (found === undefined) throw imgError(`No secret with id '${id}'`, { code: 'not-found' });
    return found;
  }

  #read(given: ReadonlyMap<string, string>, format: 'raw' | 'base64'): Uint8Array {
    const data = given.get('data');
    const file = given.get('file');
    if (data !== undefined && file !== undefined) {
      throw imgError("'file' and 'data' are mutually exclusive");
    }
    if (data === undefined && file === undefined) throw imgError("Either 'file' or 'data' must be provided");
    const bytes = data === undefined ? readSecretFile(file ?? '') : Buffer.from(data);
    const keyId = given.get('keyid');
    if (keyId !== undefined) return this.#decrypt(bytes, keyId, given.get('iv'), format);
    if (given.has('iv')) throw imgError('IV should not be set unless master key ID is set');
    return format === 'base64' ? fromBase64(bytes) : bytes;
  }

  #decrypt(bytes: Uint8Array, keyId: string, iv: string | undefined, format: string): Uint8Array {
    const key = this.get(keyId);
    if (key.length !== KEY_BYTES) {
      throw imgError(`Key should be ${KEY_BYTES} bytes in length`);
    }
    if (iv === undefined) throw imgError('IV is required to decrypt secret');
    const vector = fromBase64(Buffer.from(iv));
    if (vector.length !== VECTOR_BYTES) {
      throw imgError(`IV should be ${VECTOR_BYTES} bytes in length not ${vector.length}`);
    }
    const decipher = createDecipheriv('aes-256-cbc', key, vector);
    const secret = format === 'base64' ? fromBase64(bytes) : bytes;
    try {
      return Buffer.concat([decipher.update(secret), decipher.final()]);
    } catch (error) {
      throw imgError('Incorrect number of padding bytes found on decrypted data', { cause: error });
    }
  }
}

function propertiesOf(text: string): ListedOption[] {
  if (!text.startsWith('{')) return parseOptionList(text, 'qom-type');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw imgError('JSON parse error, invalid keyword', { cause: error });
  }
  if (parsed === null || typeof parsed !== 'object') throw imgError('JSON parse error, expected an object');
  return Object.entries(parsed).map(([key, value]) => ({ key, value: String(value) }));
}

function readSecretFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = errnoText(errnoOf(error)) ?? String(error);
    throw imgError(`Unable to read ${path}: Failed to open file “${path}”: ${why}`, { cause: error });
  }
}

function fromBase64(bytes: Uint8Array): Buffer {
  const text = Buffer.from(bytes)
    .toString('latin1')
    .replace(/[\n\r]+/g, '');
  if (!/^[a-z0-9+/]*={0,2}$/i.test(text)) throw imgError('Base64 data contains invalid characters');
  return Buffer.from(text, 'base64');
}
