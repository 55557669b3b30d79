import { CalveError } from '../../errors/index.ts';

/** A document's media type without parameters, in lower case. */
export function mediaTypeOf(header: string | undefined): string | undefined {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase();
  return type === undefined || type === '' ? undefined : type;
}

/**
 * What a manifest is: what it says itself, else what the registry says of it. Two that differ are refused: one and the same
 * bytes could then be taken for two things (distribution-spec 1.1, Pulling manifests; GHSA-mc8v-mgrf-8f4m).
 * @throws CalveError `invalid`
 */
export function agreedMediaType(header: string | undefined, bytes: Buffer, where: string): string {
  const told = mediaTypeOf(header);
  const own = ownMediaType(bytes);
  if (own === undefined && told === undefined)
    throw new CalveError('invalid', `${where}: expected a media type`);
  const isSpecific = told !== undefined && told !== 'application/json' && told !== 'application/octet-stream';
  if (own !== undefined && isSpecific && own !== told) {
    throw new CalveError('invalid', `${where}: expected ${own}, as it says itself, got ${told}`);
  }
  return own ?? told ?? '';
}

function ownMediaType(bytes: Buffer): string | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    const own =
      typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : undefined;
    return typeof own === 'string' ? own : undefined;
  } catch {
    return undefined; // whoever uses it as a document says what is wrong with it
  }
}
