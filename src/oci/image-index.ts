import * as v from 'valibot';
import { type Descriptor, descriptorSchema } from './descriptor.ts';
import { MEDIA_TYPE_INDEX } from './media-types.ts';

/** image-spec 1.1, image index: `index.json` of a layout. Descriptors keep what else their writers put into them. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: typeof MEDIA_TYPE_INDEX | undefined;
  readonly manifests: readonly Descriptor[];
}

export const imageIndexSchema: v.GenericSchema<unknown, ImageIndex> = v.looseObject({
  schemaVersion: v.literal(2),
  mediaType: v.optional(v.literal(MEDIA_TYPE_INDEX)),
  manifests: v.array(descriptorSchema),
});

/** An index that names nothing. */
export const EMPTY_INDEX: ImageIndex = { schemaVersion: 2, mediaType: MEDIA_TYPE_INDEX, manifests: [] };
