import { imgError } from '../img-error.ts';
import { parseOptionList } from './option-list.ts';

/** The value of an option; null says that there is none, as of `"backing": null`. */
type Value = string | null;

/** Options of a block node, nested ones by dotted keys, from which whoever opens it takes what it understands. */
export class BlockOptions {
  readonly #values: Map<string, Value>;

  constructor(values: Iterable<readonly [key: string, value: Value]> = []) {
    this.#values = new Map(values);
  }

  /** The first option that nobody took. */
  get first(): string | undefined {
    return this.#values.keys().next().value;
  }

  [Symbol.iterator](): Iterator<readonly [key: string, value: Value]> {
    return this.#values.entries();
  }

  set(key: string, value: Value): void {
    this.#values.set(key, value);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  /** Takes an option away; undefined when it is not there. */
  take(key: string): string | undefined {
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value ?? undefined;
  }

  /** Takes an option that is on or off. */
  takeFlag(key: string): boolean | undefined {
    const value = this.take(key);
    if (value === undefined || value === 'on' || value === 'off')
      return value === undefined ? value : value === 'on';
    throw imgError(`Parameter '${key}' expects 'on' or 'off'`);
  }

  /** Takes a `null` away, and says whether one was there. */
  takeNull(key: string): boolean {
    if (this.#values.get(key) !== null) return false;
    return this.#values.delete(key);
  }

  /** Takes away the options of a child: those that begin with its name and a dot, without both. */
  takeChild(name: string): BlockOptions {
    const child = new BlockOptions();
    for (const [key, value] of this.#values) {
      if (!key.startsWith(`${name}.`)) continue;
      child.#values.set(key.slice(name.length + 1), value);
      this.#values.delete(key);
    }
    return child;
  }

  /** The whole, nested as JSON is. */
  toJson(): Nested {
    const root: { [key: string]: Nested | string | null } = {};
    for (const [key, value] of this.#values) {
      const parts = key.split('.');
      const last = parts.pop() ?? key;
      let at = root;
      for (const part of parts) {
        const inner = at[part];
        const next: { [key: string]: Nested | string | null } =
          inner !== undefined && inner !== null && typeof inner === 'object' ? { ...inner } : {};
        at[part] = next;
        at = next;
      }
      at[last] = value;
    }
    return root;
  }
}

interface Nested {
  readonly [key: string]: Nested | string | null;
}

/** What `--image-opts` takes: `driver=qcow2,file.filename=a.qcow2`. */
export function parseImageOptions(text: string): BlockOptions {
  return new BlockOptions(parseOptionList(text, 'file').map(({ key, value }) => [key, value] as const));
}

/**
 * What follows `json:` in a name.
 * @throws CalveError in qemu-img's words
 */
export function parseJsonName(text: string): BlockOptions {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const why = text.trim() === '' ? 'Expecting a JSON value' : whyNoJson(text);
    throw imgError(`Could not parse the JSON options: ${why}`, { cause: error });
  }
  if (parsed === null || typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw imgError('Invalid JSON object given');
  }
  return new BlockOptions(flatten(parsed, ''));
}

/** The two of QEMU's words for it that people meet. */
function whyNoJson(text: string): string {
  const opened = text.replace(/"(?:[^"\\]|\\.)*"/gs, '');
  const depth = [...opened].reduce((sum, c) => sum + ('{['.includes(c) ? 1 : '}]'.includes(c) ? -1 : 0), 0);
  return depth > 0 ? 'JSON parse error, premature EOI' : 'JSON parse error, invalid keyword';
}

function* flatten(value: object, prefix: string): Generator<readonly [string, Value]> {
  for (const [key, each] of Object.entries(value)) {
    if (each === null) yield [prefix + key, null];
    else if (typeof each === 'object') yield* flatten(each, `${prefix}${key}.`);
    else if (typeof each === 'boolean') yield [prefix + key, each ? 'on' : 'off'];
    else yield [prefix + key, String(each)];
  }
}
