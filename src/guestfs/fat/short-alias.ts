import { crc32 } from 'node:zlib';

/** What a short name may have in it without a long one beside it. */
const PLAIN = /^[A-Z0-9!#$%&'()\-@^_`{}~]{1,8}(\.[A-Z0-9!#$%&'()\-@^_`{}~]{1,3})?$/;
const NOT_PLAIN = /[^A-Z0-9!#$%&'()\-@^_`{}~]/gu;
const BASE = 8;
const EXTENSION = 3;
/** So many are tried in order; then a hash of the name comes before the number, as many alike names have the first ones. */
const PLAIN_TRIES = 4;

/** A short name, and whether it says all: then there is no long one beside it. */
export interface ShortAlias {
  /** As text: `LONGNA~1.TXT`. */
  readonly text: string;
  /** 11 bytes, as they stand in an entry. */
  readonly bytes: Buffer;
  readonly saysAll: boolean;
}

/**
 * The short name for a name (FAT specification, "Automatic Generation of Short Names").
 *
 * @param isTaken whether the directory has a long or short name like this
 */
export function shortAlias(name: string, isTaken: (text: string) => boolean): ShortAlias {
  if (PLAIN.test(name)) return aliasOf(name, true);
  const upper = name.toUpperCase();
  if (PLAIN.test(upper) && !isTaken(upper)) return aliasOf(upper, false);
  const kept = upper.replace(/ /g, '').replace(/^\.+/, '');
  const dot = kept.lastIndexOf('.');
  const clean = (text: string): string => text.replace(/\./g, '').replace(NOT_PLAIN, '_');
  const base = clean(dot < 0 ? kept : kept.slice(0, dot)) || '_';
  const extension = dot < 0 ? '' : clean(kept.slice(dot + 1)).slice(0, EXTENSION);
  const hash = (crc32(name) & 0xffff).toString(16).toUpperCase().padStart(4, '0');
  for (let number = 1; ; number += 1) {
    const plain = number <= PLAIN_TRIES;
    const tail = `~${plain ? number : number - PLAIN_TRIES}`;
    const start = plain ? base : base.slice(0, 2) + hash;
    const text = `${start.slice(0, BASE - tail.length)}${tail}${extension === '' ? '' : `.${extension}`}`;
    if (!isTaken(text)) return aliasOf(text, false);
  }
}

function aliasOf(text: string, saysAll: boolean): ShortAlias {
  const [base = '', extension = ''] = text.split('.');
  return { text, bytes: Buffer.from(base.padEnd(BASE) + extension.padEnd(EXTENSION), 'latin1'), saysAll };
}
