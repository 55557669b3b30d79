import { imgError } from '../img-error.ts';
import { parseOptionList } from '../options/option-list.ts';
import { parseSize } from '../options/parse-size.ts';
import type { CreateOption } from './create-option.ts';

/**
 * Whether a list can be put together with others: it is not empty, and neither begins nor ends with a comma that ends an
 * option.
 */
export function isOptionList(text: string): boolean {
  const [, commas = ''] = /(,*)$/.exec(text) ?? [];
  return text !== '' && !text.startsWith(',') && commas.length % 2 === 0;
}

/**
 * The values of options by name, sizes and numbers in decimal, with those that go without saying.
 * @throws CalveError in qemu-img's words
 */
export function givenOptions(text: string | undefined, known: readonly CreateOption[]): Map<string, string> {
  const given = new Map<string, string>();
  for (const { name, value } of known) if (value !== undefined) given.set(name, value);
  for (const { key, value } of text === undefined ? [] : parseOptionList(text)) {
    const option = known.find(({ name }) => name === key);
    if (option === undefined) throw imgError(`Invalid parameter '${key}'`);
    given.set(key, settled(option, value));
  }
  return given;
}

function settled({ name, type }: CreateOption, value: string): string {
  if (type === 'str') return value;
  if (type === 'bool') {
    if (value === 'on' || value === 'off') return value;
    throw imgError(`Parameter '${name}' expects 'on' or 'off'`);
  }
  if (type === 'num') {
    const [, sign, digits] = /^\s*([+-]?)(\d+|0x[0-9a-f]+)$/i.exec(value) ?? [];
    if (digits === undefined) throw imgError(`Parameter '${name}' expects a number`);
    if (BigInt(digits) >= 2n ** 64n) throw imgError(`Value '${value}' is too large for parameter '${name}'`);
    // A number below zero is taken, and refused where it is put to use.
    return String(sign === '-' ? -BigInt(digits) : BigInt(digits));
  }
  const size = parseSize(value);
  if (typeof size === 'bigint') return String(size);
  throw imgError(`Parameter '${name}' expects a non-negative number below 2^64`, {
    more: 'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.',
  });
}

/** The line of what is about to be made: options in the order of their table, commas in values doubled. */
export function formattingLine(
  filename: string,
  format: string,
  given: ReadonlyMap<string, string>,
  known: readonly CreateOption[],
): string {
  const said = known
    .filter(({ name }) => given.has(name))
    .map(({ name }) => ` ${name}=${(given.get(name) ?? '').replaceAll(',', ',,')}`);
  return `Formatting '${filename}', fmt=${format}${said.join('')}`;
}
