import { CalveError } from '../../errors/index.ts';

/** Some 100 bytes of memory each. */
const MOST_PLACES = 1_000_000;
/** A path of more is none that Linux could open. */
const LONGEST_PATH = 4095;
const SLASH = Buffer.from('/');

interface Place {
  readonly number: number;
  /** The directory that it was met in. */
  readonly parent: number;
  /** A byte a character. */
  readonly name: string;
}

/** Where each inode was met first: libguestfs knows paths alone, and a tree of files has numbers. */
export class InodePlaces {
  readonly #root: number;
  readonly #places: Place[] = [];
  readonly #byNumber = new Map<number, number>();

  /** @param root the number of the directory that all lies in */
  constructor(root: number) {
    this.#root = root;
  }

  /** Notes a name that was come upon, unless the inode has a place. @throws CalveError `unsupported` for too many */
  note(number: number, parent: number, name: Buffer): void {
    if (number === this.#root || this.#byNumber.has(number)) return;
    if (this.#places.length === MOST_PLACES) {
      throw new CalveError('unsupported', `a file system with more than ${MOST_PLACES} files`);
    }
    this.#byNumber.set(number, this.#places.length);
    this.#places.push({ number, parent, name: name.toString('latin1') });
  }

  /**
   * From the root on, with a slash before it but for the root's, which is empty.
   * @throws CalveError `not-found` for a number that was not met, `unsupported` for a path that is too long
   */
  path(number: number): Buffer {
    const names: Buffer[] = [];
    let length = 0;
    for (let at = number; at !== this.#root; ) {
      const place = this.#place(at);
      names.push(Buffer.from(place.name, 'latin1'), SLASH);
      length += place.name.length + 1;
      if (length > LONGEST_PATH) {
        throw new CalveError('unsupported', `a path of more than ${LONGEST_PATH} bytes`);
      }
      at = place.parent;
    }
    return Buffer.concat(names.reverse());
  }

  /** The directory that it was met in, and its name; undefined for the root. @throws CalveError `not-found` */
  in(number: number): { readonly parent: number; readonly name: Buffer } | undefined {
    if (number === this.#root) return undefined;
    const { parent, name } = this.#place(number);
    return { parent, name: Buffer.from(name, 'latin1') };
  }

  /** It, and up to so many that were met after it in the same directory: whoever asks for one may ask for them next. */
  following(number: number, most: number): { readonly number: number; readonly name: Buffer }[] {
    const first = this.#byNumber.get(number);
    const found: { readonly number: number; readonly name: Buffer }[] = [];
    if (first === undefined) return found;
    const parent = this.#places[first]?.parent;
    for (let at = first; at < first + most; at += 1) {
      const place = this.#places[at];
      if (place === undefined || place.parent !== parent) break;
      found.push({ number: place.number, name: Buffer.from(place.name, 'latin1') });
    }
    return found;
  }

  clear(): void {
    this.#places.length = 0;
    this.#byNumber.clear();
  }

  #place(number: number): Place {
    const place = this.#places[this.#byNumber.get(number) ?? -1];
    if (place === undefined) throw new CalveError('not-found', `no inode ${number} was met`);
    return place;
  }
}
