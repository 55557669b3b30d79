import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { openFile, statFile } from '../host/index.ts';
import { type Digest, hexOf } from '../oci/index.ts';
import { type Qcow2Header, readHeader } from '../qcow2/index.ts';
import { type Census, standingOn } from './census.ts';
import type { StoreContext } from './context.ts';
import type { FsckFindings } from './fsck-findings.ts';
import { OVERLAY, overlayBacking } from './layout.ts';
import { describeStanding } from './protection.ts';
import { readVersion } from './read-version.ts';
import { refsOf } from './ref-index.ts';
import type { LayerInfo } from './types.ts';
import type { DecodedManifest } from './version-document.ts';

/** Checks what versions, refs and envs stand on. Returns how many layers were looked at. */
export async function checkStructure(
  context: StoreContext,
  findings: FsckFindings,
  census: Census,
  harmed: ReadonlyMap<Digest, Digest>,
): Promise<number> {
  const check = new StructureCheck(context, findings, census, harmed);
  for (const manifest of census.manifests.values()) await check.version(manifest);
  for (const { name, version } of refsOf(census.index)) {
    if (!census.manifests.has(version)) {
      findings.add(
        'ref-broken',
        name,
        `ref ${name}: its version ${version} is not in the store, or has changed`,
      );
    }
  }
  for (const [name, { version }] of census.envs) {
    await check.overlay('env-broken', `envs/${name}`, version);
  }
  for (const [id, { version }] of census.trash) {
    await check.overlay('trash-broken', `trash/${id}`, version);
  }
  return check.layers.size;
}

class StructureCheck {
  /** Every layer that was looked at, with its parent's: a layer stands in many chains, always on the same one. */
  readonly layers = new Set<string>();
  readonly #headers = new Map<Digest, Qcow2Header>();
  readonly #context: StoreContext;
  readonly #findings: FsckFindings;
  readonly #census: Census;
  readonly #harmed: ReadonlyMap<Digest, Digest>;

  constructor(
    context: StoreContext,
    findings: FsckFindings,
    census: Census,
    harmed: ReadonlyMap<Digest, Digest>,
  ) {
    this.#context = context;
    this.#findings = findings;
    this.#census = census;
    this.#harmed = harmed;
  }

  async version(manifest: DecodedManifest): Promise<void> {
    const { config, layers } = manifest;
    this.#present(config.digest, config.size);
    for (const [at, layer] of layers.entries()) await this.#layer(layer, layers[at - 1]);
    if (this.#harmed.has(config.digest) || statFile(this.#context.layout.blob(config.digest)) === undefined)
      return;
    try {
      const { size } = await readVersion(this.#context, manifest.digest);
      this.#tipSize(manifest.tip, size);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      this.#addOn('document-broken', config.digest, error.message);
    }
  }

  /** What an env or an entry of the trash stands on. */
  async overlay(kind: 'env-broken' | 'trash-broken', place: string, version: Digest): Promise<void> {
    const manifest = this.#census.manifests.get(version);
    if (manifest === undefined) {
      this.#findings.add(kind, place, `${place}: its version ${version} is not in the store, or has changed`);
      return;
    }
    const path = join(this.#context.layout.folder, place, OVERLAY);
    try {
      await using file = await openFile(path);
      const fault = backingFault(await readHeader(file), overlayBacking(manifest.tip));
      if (fault !== undefined) this.#findings.add(kind, place, `${place}/${OVERLAY}: ${fault}`);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      this.#findings.add(kind, place, error.message);
    }
  }

  /** Invariant 2, and that the bytes are a qcow2 file's. */
  async #layer(layer: LayerInfo, below: LayerInfo | undefined): Promise<void> {
    const key = `${layer.digest} ${below?.digest}`;
    if (this.layers.has(key)) return;
    this.layers.add(key);
    if (!this.#present(layer.digest, layer.size) || this.#harmed.has(layer.digest)) return;
    try {
      await using file = await openFile(this.#context.layout.blob(layer.digest));
      const header = await readHeader(file);
      this.#headers.set(layer.digest, header);
      const fault = backingFault(header, below && hexOf(below.digest));
      if (fault !== undefined) this.#addOn('layer-parent', layer.digest, `layer ${layer.digest}: ${fault}`);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      this.#addOn('layer-broken', layer.digest, error.message);
    }
  }

  #present(blob: Digest, size: number): boolean {
    const stat = statFile(this.#context.layout.blob(blob));
    if (stat === undefined) this.#addOn('blob-missing', blob, `blob ${blob} is missing`);
    else if (stat.size !== size && !this.#harmed.has(blob)) {
      this.#addOn('document-broken', blob, `blob ${blob} has ${stat.size} bytes, its manifest says ${size}`);
    }
    return stat !== undefined;
  }

  /** A tip whose header does not even parse was found before. */
  #tipSize(tip: Digest, expected: number): void {
    const header = this.#headers.get(tip);
    if (header === undefined || header.size === expected) return;
    this.#addOn(
      'layer-broken',
      tip,
      `layer ${tip}: size: expected ${expected} as its config says, got ${header.size}`,
    );
  }

  #addOn(
    kind: 'blob-missing' | 'layer-broken' | 'layer-parent' | 'document-broken',
    blob: Digest,
    message: string,
  ): void {
    const standing = standingOn(this.#census, blob);
    this.#findings.add(kind, blob, `${message}; ${describeStanding(standing)}`, standing);
  }
}

function backingFault(header: Qcow2Header, expected: string | undefined): string | undefined {
  const { backingFile, backingFormat } = header;
  if (backingFile !== expected)
    return `backing file: expected ${expected ?? 'none'}, got ${backingFile ?? 'none'}`;
  if (expected !== undefined && backingFormat !== 'qcow2') {
    return `backing format: expected qcow2, got ${backingFormat ?? 'none'}`;
  }
  return undefined;
}
