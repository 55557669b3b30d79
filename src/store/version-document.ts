import * as v from 'valibot';
import { CalveError } from '../errors/index.ts';
import {
  ANNOTATION_CREATED,
  artifactSchema,
  byteCount,
  canonicalJson,
  type Descriptor,
  type Digest,
  digestOf,
  digestSchema,
  type Manifest,
  MEDIA_TYPE_MANIFEST,
  parseDocument,
} from '../oci/index.ts';
import type { LayerInfo, MachineSettings, Made } from './types.ts';

/** What a version's manifest and its descriptors say of themselves. */
export const VERSION_TYPE = 'application/vnd.calve.version.v1';
const CONFIG_TYPE = 'application/vnd.calve.config.v1+json';
const LAYER_TYPE = 'application/vnd.calve.layer.v1+qcow2';

/** The name of a version's one disk. */
const DISK = 'disk0';

/** A version's config blob. */
export interface VersionConfig {
  readonly message: string;
  readonly author: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  /** Manifest digests. */
  readonly parents: readonly Digest[];
  /** One today. Each takes the next `layers` of the manifest's layers. `size` is virtual, bytes. */
  readonly disks: readonly { readonly name: string; readonly size: number; readonly layers: number }[];
  readonly machine: MachineSettings;
  readonly made: Made;
}

const configSchema: v.GenericSchema<unknown, VersionConfig> = v.looseObject({
  message: v.string(),
  author: v.string(),
  created: v.pipe(v.string(), v.isoTimestamp()),
  parents: v.array(digestSchema),
  disks: v.pipe(
    v.array(v.looseObject({ name: v.string(), size: byteCount, layers: byteCount })),
    v.length(1),
  ),
  machine: v.record(v.string(), v.unknown()),
  made: v.looseObject({ command: v.string(), from: v.optional(v.string()) }),
});

const versionManifestSchema = artifactSchema({
  artifact: VERSION_TYPE,
  config: CONFIG_TYPE,
  layer: LAYER_TYPE,
});

/** A version as its two documents say it. */
export interface VersionDocument {
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly manifestSize: number;
  readonly config: VersionConfig;
  readonly configDigest: Digest;
  /** Bytes of the config. */
  readonly configSize: number;
  /** Virtual size, bytes. */
  readonly size: number;
  /** The chain, base first; never empty. */
  readonly layers: readonly LayerInfo[];
  /** The chain's last layer: what an overlay stands on. */
  readonly tip: Digest;
}

/** A version that is to be written, and the bytes of its documents. */
export interface EncodedVersion {
  readonly document: VersionDocument;
  readonly manifest: string;
  readonly config: string;
}

/**
 * Writes a version's documents: canonical JSON, so that the same version has the same digest.
 * @param layers base first
 */
export function encodeVersion(
  config: Omit<VersionConfig, 'disks'> & { readonly size: number },
  layers: readonly LayerInfo[],
): EncodedVersion {
  const { size, machine, made, ...rest } = config;
  const disks = [{ name: DISK, size, layers: layers.length }];
  const configText = canonicalJson({ ...rest, disks, machine, made });
  const configDigest = digestOf(configText);
  const manifest = canonicalJson({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE_MANIFEST,
    artifactType: VERSION_TYPE,
    config: { mediaType: CONFIG_TYPE, digest: configDigest, size: Buffer.byteLength(configText) },
    layers: layers.map((layer) => ({ mediaType: LAYER_TYPE, digest: layer.digest, size: layer.size })),
    annotations: { [ANNOTATION_CREATED]: config.created },
  });
  const digest = digestOf(manifest);
  const decoded = decodeManifest(manifest, digest);
  return { document: decodeConfig(decoded, configText), manifest, config: configText };
}

/** A manifest that was checked, whose config is still to be read. */
export interface DecodedManifest {
  readonly digest: Digest;
  readonly manifestSize: number;
  readonly config: Descriptor;
  readonly layers: readonly LayerInfo[];
  readonly tip: Digest;
}

/** @throws CalveError `corrupt` naming the field, for a manifest that is not a version's too */
export function decodeManifest(text: string, digest: Digest): DecodedManifest {
  const manifest: Manifest = parseDocument(text, versionManifestSchema, `manifest ${digest}`);
  const layers = manifest.layers.map((layer) => ({ digest: layer.digest, size: layer.size }));
  const tip = layers.at(-1)?.digest;
  if (tip === undefined) throw new CalveError('corrupt', `manifest ${digest}: layers: expected at least one`);
  return { digest, manifestSize: Buffer.byteLength(text), config: manifest.config, layers, tip };
}

/** @throws CalveError `corrupt` naming the field */
export function decodeConfig(manifest: DecodedManifest, text: string): VersionDocument {
  const where = `config ${manifest.config.digest}`;
  const config = parseDocument(text, configSchema, where);
  const [disk] = config.disks;
  if (disk === undefined || disk.layers !== manifest.layers.length) {
    throw new CalveError(
      'corrupt',
      `${where}: disks.0.layers: expected ${manifest.layers.length} as in the manifest, got ${disk?.layers}`,
    );
  }
  return {
    digest: manifest.digest,
    manifestSize: manifest.manifestSize,
    config,
    configDigest: manifest.config.digest,
    configSize: Buffer.byteLength(text),
    size: disk.size,
    layers: manifest.layers,
    tip: manifest.tip,
  };
}
