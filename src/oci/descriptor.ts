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

export const descriptorSchema: v.GenericSchema<unknown, Descriptor> = descriptorWhose(
  v.pipe(v.string(), v.nonEmpty()),
);

/** A descriptor of something of one media type. */
export function descriptorOf(mediaType: string): v.GenericSchema<unknown, Descriptor> {
  return descriptorWhose(v.literal(mediaType));
}

function descriptorWhose(mediaType: v.GenericSchema<unknown, string>): v.GenericSchema<unknown, Descriptor> {
  return v.looseObject({
    mediaType,
    digest: digestSchema,
    size: byteCount,
    artifactType: v.optional(v.string()),
    annotations: v.optional(v.record(v.string(), v.string())),
  });
}
