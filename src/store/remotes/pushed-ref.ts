import { CalveError } from '../../errors/index.ts';
import {
  ANNOTATION_CREATED,
  canonicalJson,
  type Descriptor,
  type Digest,
  type ImageIndex,
  imageIndexSchema,
  MEDIA_TYPE_INDEX,
  MEDIA_TYPE_MANIFEST,
  parseDocument,
} from '../../oci/index.ts';
import { decodeManifest, VERSION_TYPE } from '../version-document.ts';

/**
 * What a tag of a registry points at: an index whose first manifest is the version, and whose others are its ancestors,
 * so that a registry's collector keeps the history, and a pull can be shallow or deep.
 */
const PUSHED_TYPE = 'application/vnd.calve.history.v1';

/** Bytes: registries take no more. */
const LARGEST_INDEX = 4 << 20;

/** What of a version the index says. */
export interface ListedVersion {
  readonly digest: Digest;
  readonly manifestSize: number;
}

/**
 * The index of a version and its ancestors. As many of them as an index has room for (some 16,000).
 * @param created when the version was made: the same history has the same index
 */
export function encodePushed(versions: readonly ListedVersion[], created: string): string {
  const encode = (count: number): string =>
    canonicalJson({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE_INDEX,
      artifactType: PUSHED_TYPE,
      manifests: versions.slice(0, count).map(({ digest, manifestSize }) => ({
        // Without the artifact's type, which skopeo 1.9 loses on the way, and then says that it may not change the index.
        mediaType: MEDIA_TYPE_MANIFEST,
        digest,
        size: manifestSize,
      })),
      annotations: { [ANNOTATION_CREATED]: created },
    });
  const whole = encode(versions.length);
  if (whole.length <= LARGEST_INDEX) return whole;
  return encode(Math.floor((versions.length * LARGEST_INDEX) / whole.length) - 1);
}

/**
 * The versions that a tag's document names, the newest first: of an index that `encodePushed` made, or of a version's
 * manifest that somebody tagged by itself.
 * @throws CalveError `corrupt`; `unsupported` for anything else that a registry may hold, as a container's image
 */
export function decodePushed(
  document: { readonly digest: Digest; readonly mediaType: string; readonly bytes: Buffer },
  where: string,
): [ListedVersion, ...ListedVersion[]] {
  const text = document.bytes.toString();
  if (document.mediaType === MEDIA_TYPE_MANIFEST) {
    if (!text.includes(VERSION_TYPE)) throw noVersion(where, 'an image or artifact of another kind');
    const { digest, manifestSize } = decodeManifest(text, document.digest);
    return [{ digest, manifestSize }];
  }
  if (document.mediaType !== MEDIA_TYPE_INDEX) throw noVersion(where, document.mediaType);
  const index: ImageIndex = parseDocument(text, imageIndexSchema, where);
  const [tip, ...older] = index.manifests.map(({ digest, size }) => ({ digest, manifestSize: size }));
  if (tip === undefined) throw noVersion(where, 'an empty index');
  if (!index.manifests.every(isVersion)) throw noVersion(where, 'an index of other things');
  return [tip, ...older];
}

/** Some registries and tools leave the artifact's type out of descriptors. */
function isVersion({ mediaType, artifactType, ...more }: Descriptor): boolean {
  return (
    mediaType === MEDIA_TYPE_MANIFEST &&
    (artifactType === undefined || artifactType === VERSION_TYPE) &&
    !('platform' in more)
  );
}

function noVersion(where: string, got: string): CalveError {
  return new CalveError('unsupported', `${where}: expected a version that calve pushed, got ${got}`);
}
