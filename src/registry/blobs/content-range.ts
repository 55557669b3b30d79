import { CalveError } from '../../errors/index.ts';

/** A closed range of bytes: both ends are part of it. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Checks the Content-Range of a 206 (RFC 9110, 14.4) against what was asked for.
 * @returns the range; it may end before the one that was asked for does
 * @throws CalveError `invalid` when it is malformed, begins elsewhere, or is of something of another size
 */
export function checkContentRange(
  header: string | undefined,
  asked: ByteRange,
  size: number,
  where: string,
): ByteRange {
  const found = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(header?.trim() ?? '');
  const [first, last] = [Number(found?.[1]), Number(found?.[2])];
  const sizeFits = found?.[3] === '*' || Number(found?.[3]) === size;
  if (first === asked.first && last >= first && last <= asked.last && sizeFits) return { first, last };
  throw new CalveError(
    'invalid',
    `${where}: expected bytes ${asked.first}-${asked.last}/${size}, got ${JSON.stringify(header ?? 'no Content-Range')}`,
  );
}

/**
 * How many bytes an upload has, by the Range of an answer about it (`0-N`; some write `bytes=0-N`): 0 where none is told, and
 * for `0-0`, which servers write for none. Undefined when it cannot be, since there are only `size` bytes.
 */
export function uploadedBytes(header: string | undefined, size: number): number | undefined {
  if (header === undefined || header.trim() === '') return 0;
  const found = /^(?:bytes[ =])?0-(\d{1,15})$/.exec(header.trim());
  if (!found) return undefined;
  const last = Number(found[1]);
  if (last === 0) return 0;
  return last < size ? last + 1 : undefined;
}
