import * as v from 'valibot';
import { type Digest, digestSchema } from './digest.ts';

/** A number of bytes in a document. */
export const byteCount: v.GenericSchema<unknown, number> = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** image-spec 1.1, descriptor. Fields that are not named here are kept. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export const descriptorSchema: v.GenericSchema<unknown, Descriptor> = v.looseObject({
  mediaType: v.pipe(v.string(), v.nonEmpty()),
  digest: digestSchema,
  size: byteCount,
  artifactType: v.optional(v.string()),
  annotations: v.optional(v.record(v.string(), v.string())),
});
