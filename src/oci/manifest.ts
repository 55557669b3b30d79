import * as v from 'valibot';
import { type Descriptor, descriptorOf, descriptorSchema } from './descriptor.ts';
import { MEDIA_TYPE_MANIFEST } from './media-types.ts';

/** image-spec 1.1, manifest. */
export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: typeof MEDIA_TYPE_MANIFEST;
  readonly artifactType?: string | undefined;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export const manifestSchema: v.GenericSchema<unknown, Manifest> = manifestWhose({
  artifactType: v.optional(v.string()),
  config: descriptorSchema,
  layers: v.array(descriptorSchema),
});

/** An artifact's manifest, with one layer at least, each of the one type. */
export function artifactSchema(types: {
  readonly artifact: string;
  readonly config: string;
  readonly layer: string;
}): v.GenericSchema<unknown, Manifest> {
  return manifestWhose({
    artifactType: v.literal(types.artifact),
    config: descriptorOf(types.config),
    layers: v.pipe(v.array(descriptorOf(types.layer)), v.minLength(1)),
  });
}

/** One object, not an intersection of two: that takes ten times as long, and listings check thousands. */
function manifestWhose(of: {
  readonly artifactType: v.GenericSchema<unknown, string | undefined>;
  readonly config: v.GenericSchema<unknown, Descriptor>;
  readonly layers: v.GenericSchema<unknown, Descriptor[]>;
}): v.GenericSchema<unknown, Manifest> {
  return v.looseObject({
    schemaVersion: v.literal(2),
    mediaType: v.literal(MEDIA_TYPE_MANIFEST),
    ...of,
    annotations: v.optional(v.record(v.string(), v.string())),
  });
}

const referencesSchema = v.looseObject({
  config: v.optional(descriptorSchema),
  layers: v.optional(v.array(descriptorSchema)),
  manifests: v.optional(v.array(descriptorSchema)),
  subject: v.optional(descriptorSchema),
});

/** What any manifest or index names, whoever made it; nothing for other documents. */
export function descriptorsIn(document: unknown): Descriptor[] {
  const parsed = v.safeParse(referencesSchema, document);
  if (!parsed.success) return [];
  const { config, layers = [], manifests = [], subject } = parsed.output;
  return [config, ...layers, ...manifests, subject].filter((named) => named !== undefined);
}
