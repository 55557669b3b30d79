import * as v from 'valibot';
import { byteCount, canonicalJson, type Digest, digestSchema, parseDocument } from '../oci/index.ts';
import { readText } from './read-text.ts';
import type { MachineSettings } from './types.ts';

/** `env.json`: what an env's overlay stands on. */
export interface EnvDocument {
  readonly version: Digest;
  /** The ref that a commit moves. */
  readonly ref: string | null;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly machine: MachineSettings;
  /** The file that it was adopted from. */
  readonly origin?: EnvOrigin | undefined;
}

/** A file outside of the store as it was when it was adopted. */
interface EnvOrigin {
  /** Absolute, links resolved. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since 1970, in decimal: JSON's numbers are too short for them. */
  readonly mtimeNs: string;
}

const envSchema: v.GenericSchema<unknown, EnvDocument> = v.looseObject({
  version: digestSchema,
  ref: v.nullable(v.string()),
  created: v.pipe(v.string(), v.isoTimestamp()),
  machine: v.record(v.string(), v.unknown()),
  origin: v.optional(
    v.looseObject({ path: v.string(), size: byteCount, mtimeNs: v.pipe(v.string(), v.regex(/^\d+$/)) }),
  ),
});

/** @throws CalveError `not-found`; `corrupt` naming the field */
export async function readEnvDocument(path: string): Promise<EnvDocument> {
  return parseDocument(await readText(path), envSchema, path);
}

export function encodeEnvDocument(env: EnvDocument): string {
  return canonicalJson(env);
}
