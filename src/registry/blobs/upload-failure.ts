import { CalveError } from '../../errors/index.ts';

/** What a registry that does not take blobs in pieces says to the first of them. */
const NO_PIECES = new Set([400, 404, 405, 411, 413, 415, 416, 501]);
/** What it says of an upload that it does not know, or whose bytes are other than this side thinks. */
const OUT_OF_STEP = new Set([404, 410, 416]);
/** The same, in its own words (distribution-spec 1.1, Error Codes; RANGE_INVALID is distribution's). */
const OUT_OF_STEP_CODES = new Set(['BLOB_UPLOAD_INVALID', 'BLOB_UPLOAD_UNKNOWN', 'RANGE_INVALID']);

/** Whether the registry takes no pieces, by what it said to the first. */
export function findsNoPieces(error: unknown): boolean {
  const { status, registryCode } = facts(error);
  return NO_PIECES.has(status) && !(status === 404 && OUT_OF_STEP_CODES.has(registryCode));
}

/** Whether the two sides disagree on what is there, which asking the registry mends. */
export function hasLostStep(error: unknown): error is CalveError {
  const { status, registryCode } = facts(error);
  return OUT_OF_STEP.has(status) || OUT_OF_STEP_CODES.has(registryCode);
}

/**
 * Whether an upload came to an end that no other try goes on from: who is let in again, or comes back, may go on, and so may
 * everybody once a server without room has some.
 */
export function isFinal(error: unknown): boolean {
  const { status, temporary } = facts(error);
  const isServers = status === 0 || status >= 500;
  return !isServers && !temporary && !CalveError.is(error, 'denied') && !hasLostStep(error);
}

function facts(error: unknown): {
  readonly status: number;
  readonly registryCode: string;
  readonly temporary: boolean;
} {
  const { status, registryCode, temporary } = CalveError.is(error) ? error.data : {};
  return {
    status: typeof status === 'number' ? status : 0,
    registryCode: typeof registryCode === 'string' ? registryCode : '',
    temporary: temporary === true,
  };
}
