import * as v from 'valibot';
import { CalveError } from '../../errors/index.ts';
import { byteCount } from '../../oci/index.ts';

/**
 * An upload that was begun, as plain JSON: who keeps it can go on later, from another process. Its location may let in who
 * has it: keep it where others cannot read it.
 */
export interface UploadState {
  /** Where the registry wants the next bytes. */
  readonly location: string;
  /** Bytes that the registry has, as far as this side knows. */
  readonly offset: number;
  /** The least that the registry takes at a time, but for the last of it. */
  readonly smallestChunk: number;
}

const schema = v.looseObject({
  location: v.pipe(v.string(), v.url()),
  offset: byteCount,
  smallestChunk: byteCount,
});

/**
 * Checks what was kept.
 * @throws CalveError `invalid`
 */
export function checkUploadState(value: unknown): UploadState {
  const parsed = v.safeParse(schema, value);
  if (parsed.success && /^https?:/.test(parsed.output.location)) return parsed.output;
  throw new CalveError(
    'invalid',
    'expected the state of an upload: an object with location, offset and smallestChunk',
  );
}
