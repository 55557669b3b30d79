import * as v from 'valibot';

/** image-spec 1.1, image-layout, oci-layout file. */
export interface ImageLayout {
  readonly imageLayoutVersion: '1.0.0';
}

export const imageLayoutSchema: v.GenericSchema<unknown, ImageLayout> = v.looseObject({
  imageLayoutVersion: v.literal('1.0.0'),
});

/** The bytes of an `oci-layout` file. */
export const IMAGE_LAYOUT = '{"imageLayoutVersion":"1.0.0"}';
