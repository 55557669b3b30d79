import { join, relative } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { openFile, statFile } from '../host/index.ts';
import { type Digest, hexOf } from '../oci/index.ts';
import { readHeader } from '../qcow2/index.ts';
import { type Census, standingOn } from './census.ts';
import type { StoreContext } from './context.ts';
import type { LayerFacts } from './fsck-blobs.ts';
import { moveAway } from './fsck-documents.ts';
import { FETCH, type FsckFindings, REPAIR } from './fsck-findings.ts';
import type { Survey } from './fsck-survey.ts';
import { headerFault } from './header-fault.ts';
import { OVERLAY, overlayBacking } from './layout.ts';
import { describeStanding } from './protection.ts';
import { readVersion } from './read-version.ts';
import { refsOf } from './ref-index.ts';
import { promisedLayers } from './remotes/promises.ts';
import type { FsckProblem, LayerInfo } from './types.ts';
import type { DecodedManifest } from './version-document.ts';

/** Checks what versions, refs and envs stand on. Returns how many layers were looked at. */
export async function checkStructure(
  context: StoreContext,
  findings: FsckFindings,
  census: Census,
  survey: Survey,
  immutable: boolean,
): Promise<number> {
  const mayLack = await layersToCome(context, findings, census);
  const check = new StructureCheck(context, findings, census, survey, { immutable, mayLack });
  for (const manifest of census.manifests.values()) await check.version(manifest);
  for (const { name, version } of refsOf(census.index)) {
    if (!census.manifests.has(version)) {
      const message = `ref ${name}: its version ${version} is not in the store, or has changed`;
      const hint = `${FETCH}, or calve untag ${name}`;
      findings.add({ kind: 'ref-broken', where: name, message, hint, needs: version });
    }
  }
  for (const [name, { version }] of census.envs) {
    await check.overlay('env-broken', `envs/${name}`, version, `calve rm --force ${name}`);
  }
  for (const [id, { version }] of census.trash) {
    await check.overlay('trash-broken', `trash/${id}`, version, `calve trash empty -y ${id}`);
  }
  return check.layers.size;
}

/** What a pull left where it was: promised layers that only ancestors of what is used need. */
async function layersToCome(
  context: StoreContext,
  findings: FsckFindings,
  census: Census,
): Promise<Set<Digest>> {
  const promised = await promisedLayers(context, (path, { message }) => {
    const where = relative(context.layout.folder, path);
    findings.add({ kind: 'document-broken', where, message, hint: `pull again, and ${moveAway(path)}` });
  });
  const toCome = new Set(promised.keys());
  const standing = [...refsOf(census.index), ...census.envs.values(), ...census.trash.values()];
  for (const { version } of standing) {
    for (const { digest } of census.manifests.get(version)?.layers ?? []) toCome.delete(digest);
  }
  return toCome;
}

/** Nothing brings such a layer back: its bytes are what its name says. */
const BROKEN =
  'no copy is better, for the bytes are what the name says: import the disk again, or untag the version';

class StructureCheck {
  /** Every layer that was looked at, with its parent's: a layer stands in many chains, always on the same one. */
  readonly layers = new Set<string>();
  readonly #context: StoreContext;
  readonly #findings: FsckFindings;
  readonly #census: Census;
  readonly #survey: Survey;
  readonly #immutable: boolean;
  readonly #mayLack: ReadonlySet<Digest>;

  constructor(
    context: StoreContext,
    findings: FsckFindings,
    census: Census,
    survey: Survey,
    terms: { readonly immutable: boolean; readonly mayLack: ReadonlySet<Digest> },
  ) {
    this.#context = context;
    this.#findings = findings;
    this.#census = census;
    this.#survey = survey;
    this.#immutable = terms.immutable;
    this.#mayLack = terms.mayLack;
  }

  async version(manifest: DecodedManifest): Promise<void> {
    const { config, layers } = manifest;
    const { harmed } = this.#survey.blobs;
    this.#writable(manifest.digest);
    this.#present(config.digest, config.size);
    for (const [at, layer] of layers.entries()) this.#layer(layer, layers[at - 1]);
    if (harmed.has(config.digest) || statFile(this.#context.layout.blob(config.digest)) === undefined) return;
    try {
      const { size } = await readVersion(this.#context, manifest.digest);
      this.#tipSize(manifest.tip, size);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      this.#addOn('document-broken', config.digest, error.message, BROKEN);
    }
  }

  /** What an env or an entry of the trash stands on. */
  async overlay(
    kind: 'env-broken' | 'trash-broken',
    place: string,
    version: Digest,
    remove: string,
  ): Promise<void> {
    const manifest = this.#census.manifests.get(version);
    if (manifest === undefined) {
      const message = `${place}: its version ${version} is not in the store, or has changed`;
      this.#findings.add({ kind, where: place, message, hint: `${FETCH}, or ${remove}`, needs: version });
      return;
    }
    const path = join(this.#context.layout.folder, place, OVERLAY);
    const add = (what: string, hint: string): void => {
      this.#findings.add({ kind, where: place, message: `${place}/${OVERLAY}: ${what}`, hint });
    };
    try {
      await using file = await openFile(path);
      const fault = headerFault(await readHeader(file), overlayBacking(manifest.tip));
      if (fault !== undefined) add(fault, remove);
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      this.#findings.add({ kind, where: place, message: error.message, hint: remove });
      return;
    }
    const { faults, leaks } = this.#survey.overlays;
    const fault = faults.get(place);
    if (fault !== undefined) add(fault, `qemu-img check -r all ${path}`);
    const leaked = leaks.get(place);
    if (leaked === undefined) return;
    const message = `${place}/${OVERLAY}: ${leaked} clusters are leaked: space that nobody can use, and nothing worse`;
    this.#findings.add({ kind: 'env-leaks', where: place, message, hint: REPAIR });
  }

  /** Invariant 2, and that the layer is a sound qcow2 file that nobody writes. */
  #layer(layer: LayerInfo, below: LayerInfo | undefined): void {
    const { digest } = layer;
    const key = `${digest} ${below?.digest}`;
    if (this.layers.has(key)) return;
    this.layers.add(key);
    if (this.#mayLack.has(digest) && statFile(this.#context.layout.blob(digest)) === undefined) return;
    if (!this.#present(digest, layer.size)) return;
    const { layers, others } = this.#survey.blobs;
    if (others.has(digest)) {
      this.#addOn('layer-broken', digest, `layer ${digest}: expected a qcow2 file`, BROKEN);
    }
    const facts = layers.get(digest);
    if (facts !== undefined) this.#layerFacts(digest, facts, below);
  }

  #layerFacts(layer: Digest, { header, fault, inUse, immutable }: LayerFacts, below?: LayerInfo): void {
    if (header !== undefined) {
      const backing = headerFault(header, below && hexOf(below.digest));
      if (backing !== undefined) this.#addOn('layer-parent', layer, `layer ${layer}: ${backing}`, BROKEN);
    }
    if (fault !== undefined) this.#addOn('layer-broken', layer, `layer ${layer}: ${fault}`, BROKEN);
    if (inUse !== undefined) {
      this.#addOn(
        'layer-in-use',
        layer,
        `layer ${layer} is open for writing: ${inUse}`,
        'end that program, then calve fsck',
      );
    }
    if (this.#immutable && !immutable) {
      this.#addOn('layer-mutable', layer, `layer ${layer} is not immutable, as this store wants it`, REPAIR);
    }
  }

  /** Whether a blob is there and may be looked at further; what is wrong with its bytes was told before. */
  #present(blob: Digest, size: number): boolean {
    if (this.#survey.blobs.harmed.has(blob)) return false;
    const stat = statFile(this.#context.layout.blob(blob));
    if (stat === undefined) {
      this.#addOn('blob-missing', blob, `blob ${blob} is missing`, FETCH, blob);
      return false;
    }
    if (stat.size !== size) {
      const message = `blob ${blob} has ${stat.size} bytes, its manifest says ${size}`;
      this.#addOn('document-broken', blob, message, BROKEN);
    }
    this.#writable(blob);
    return true;
  }

  #writable(blob: Digest): void {
    const mode = statFile(this.#context.layout.blob(blob))?.mode ?? 0;
    if ((mode & WRITE_BITS) === 0) return;
    const message = `blob ${blob} may be written: expected the mode 0444, got 0${mode.toString(8)}`;
    this.#addOn('blob-writable', blob, message, REPAIR);
  }

  /** A tip whose header does not even parse was found before. */
  #tipSize(tip: Digest, expected: number): void {
    const header = this.#survey.blobs.layers.get(tip)?.header;
    if (header === undefined || header.size === expected) return;
    const message = `layer ${tip}: size: expected ${expected} as its config says, got ${header.size}`;
    this.#addOn('layer-broken', tip, message, BROKEN);
  }

  #addOn(kind: FsckProblem['kind'], blob: Digest, message: string, hint: string, needs?: Digest): void {
    const standing = standingOn(this.#census, blob);
    const said = `${message}; ${describeStanding(standing)}`;
    this.#findings.add({
      ...{ kind, where: blob, message: said, standing, hint },
      ...(needs === undefined ? {} : { needs }),
    });
  }
}

/** The permission bits that let somebody write. */
export const WRITE_BITS = 0o222;
