import { CalveError } from '../errors/index.ts';
import {
  ANNOTATION_REF_NAME,
  canonicalJson,
  type Descriptor,
  type Digest,
  type ImageIndex,
  imageIndexSchema,
  MEDIA_TYPE_INDEX,
  MEDIA_TYPE_MANIFEST,
  parseDocument,
} from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readText } from './read-text.ts';
import type { RefInfo } from './types.ts';
import { VERSION_TYPE } from './version-document.ts';

/**
 * `index.json` as it is now. Descriptors that other programs put there are kept, and are not refs.
 * @throws CalveError `corrupt` naming the field
 */
export async function readIndex(context: StoreContext): Promise<ImageIndex> {
  return parseDocument(await readText(context.layout.index), imageIndexSchema, context.layout.index);
}

/**
 * On the descriptor of a ref that may not move. In the index, so that the one rename that moves a ref sees it, and a
 * copied store keeps it.
 */
const ANNOTATION_PROTECTED = 'vnd.calve.ref.protected';

/** The refs of an index, by name. */
export function refsOf(index: ImageIndex): RefInfo[] {
  return index.manifests
    .flatMap((descriptor) => {
      const name = refNameOf(descriptor);
      return name !== undefined && isVersion(descriptor) ? [refInfo(name, descriptor)] : [];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The ref of this full name. */
export function findRef(index: ImageIndex, name: string): RefInfo | undefined {
  const found = index.manifests.find((descriptor) => refNameOf(descriptor) === name && isVersion(descriptor));
  return found === undefined ? undefined : refInfo(name, found);
}

/** The version that a full ref name points at. */
export function versionOfRef(index: ImageIndex, name: string): Digest | undefined {
  return findRef(index, name)?.version;
}

/** For each index that was asked, its refs by version: a log asks it once a version. */
const named = new WeakMap<ImageIndex, Map<Digest, string[]>>();

/** The names of the refs that point at a version, sorted. */
export function refsTo(index: ImageIndex, version: Digest): readonly string[] {
  let byVersion = named.get(index);
  if (byVersion === undefined) {
    byVersion = new Map();
    for (const ref of refsOf(index)) {
      const names = byVersion.get(ref.version);
      if (names === undefined) byVersion.set(ref.version, [ref.name]);
      else names.push(ref.name);
    }
    named.set(index, byVersion);
  }
  return byVersion.get(version) ?? [];
}

/**
 * The index with one ref moved, made, or (with null) removed.
 * @throws CalveError `exists` when another program's manifest has that name
 */
export function withRef(
  index: ImageIndex,
  name: string,
  version: { readonly digest: Digest; readonly manifestSize: number } | null,
): ImageIndex {
  const others = index.manifests.filter((descriptor) => refNameOf(descriptor) !== name);
  if (index.manifests.some((descriptor) => refNameOf(descriptor) === name && !isVersion(descriptor))) {
    throw new CalveError('exists', `index.json: ${name} names a manifest that is not a version`);
  }
  if (version === null) return { ...index, manifests: others };
  const moved: Descriptor = {
    mediaType: MEDIA_TYPE_MANIFEST,
    artifactType: VERSION_TYPE,
    digest: version.digest,
    size: version.manifestSize,
    annotations: { [ANNOTATION_REF_NAME]: name },
  };
  return { ...index, manifests: [...others, moved].sort(byRefName) };
}

/** The index in which a ref is protected, or no longer is. */
export function withProtection(index: ImageIndex, name: string, isProtected: boolean): ImageIndex {
  const manifests = index.manifests.map((descriptor) => {
    if (refNameOf(descriptor) !== name || !isVersion(descriptor)) return descriptor;
    const { [ANNOTATION_PROTECTED]: _, ...annotations } = descriptor.annotations ?? {};
    const added = isProtected ? { [ANNOTATION_PROTECTED]: 'true' } : {};
    return { ...descriptor, annotations: { ...annotations, ...added } };
  });
  return { ...index, manifests };
}

/** The bytes of an index. */
export function encodeIndex(index: ImageIndex): string {
  return canonicalJson({ ...index, mediaType: MEDIA_TYPE_INDEX });
}

function refInfo(name: string, descriptor: Descriptor): RefInfo {
  const isProtected = descriptor.annotations?.[ANNOTATION_PROTECTED] === 'true';
  return { name, version: descriptor.digest, ...(isProtected ? { protected: true } : {}) };
}

function refNameOf(descriptor: Descriptor): string | undefined {
  return descriptor.annotations?.[ANNOTATION_REF_NAME];
}

function isVersion(descriptor: Descriptor): boolean {
  return descriptor.mediaType === MEDIA_TYPE_MANIFEST && descriptor.artifactType === VERSION_TYPE;
}

function byRefName(a: Descriptor, b: Descriptor): number {
  const [left, right] = [refNameOf(a) ?? '', refNameOf(b) ?? ''];
  return left < right ? -1 : left > right ? 1 : 0;
}
