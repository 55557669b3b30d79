/** Owns digests, descriptors and the documents of OCI image-spec 1.1, as values without I/O; imports errors. */
export { canonicalJson } from './canonical-json.ts';
export { byteCount, type Descriptor, descriptorSchema } from './descriptor.ts';
export {
  type Digest,
  digestOf,
  digestOfHex,
  digestSchema,
  hexOf,
  isDigest,
  isHex,
  shortDigest,
} from './digest.ts';
export { EMPTY_INDEX, type ImageIndex, imageIndexSchema } from './image-index.ts';
export { IMAGE_LAYOUT, type ImageLayout, imageLayoutSchema } from './image-layout.ts';
export { artifactSchema, descriptorsIn, type Manifest, manifestSchema } from './manifest.ts';
export {
  ANNOTATION_CREATED,
  ANNOTATION_REF_NAME,
  MEDIA_TYPE_INDEX,
  MEDIA_TYPE_MANIFEST,
} from './media-types.ts';
export { checkDocument, parseDocument } from './parse-document.ts';
