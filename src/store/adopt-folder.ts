import { realpath } from 'node:fs/promises';
import { CalveError, systemError } from '../errors/index.ts';
import { type FileStat, statFile } from '../host/index.ts';
import { adoptEnv } from './adopt-env.ts';
import { findQcow2Files } from './adopt-find.ts';
import { type AdoptNode, type AdoptReach, growForest } from './adopt-forest.ts';
import { type AdoptNames, envNames, refNames } from './adopt-names.ts';
import { openImage } from './adopt-open.ts';
import type { AdoptedImage, AdoptReport } from './adopt-report.ts';
import { adoptVersion } from './adopt-version.ts';
import type { StoreContext } from './context.ts';
import { type EnvDocument, readEnvDocument } from './env-document.ts';
import { settled } from './locking.ts';
import type { AdoptOptions } from './options.ts';
import { listFolder, openStaging } from './staging.ts';
import type { VersionDocument } from './version-document.ts';
import { VersionsByTip } from './versions-by-tip.ts';

/**
 * Brings in a folder of images: bases become versions, overlays on which nothing stands become envs. Each is done for
 * itself, its base before it, so that what was done stays when the rest is cut off, and is known the next time. The files
 * are only read.
 */
export async function adoptFolder(
  context: StoreContext,
  path: string,
  options: AdoptOptions,
): Promise<AdoptReport> {
  const folder = await realpath(path).catch((error: unknown) => {
    throw systemError(`cannot adopt ${path}`, error);
  });
  await settled(context);
  const found = await findQcow2Files(folder, options.signal);
  const reach: AdoptReach = { folder, follow: options.follow === true };
  const nodes = await growForest(reach, found.images);
  const run = new AdoptRun(context, reach, nodes, options);
  await run.lookAround();
  const images: AdoptedImage[] = [];
  for (const node of nodes) images.push(await run.adopt(node));
  return { folder, dryRun: options.dryRun === true, images, warnings: found.warnings };
}

/** What has become of an image on which others may stand. */
interface Standing {
  readonly version: VersionDocument;
  readonly ref: string;
  readonly stamp: FileStat;
}

/** How far an image came. */
type Outcome = Pick<AdoptedImage, 'state'> &
  Partial<Pick<AdoptedImage, 'version' | 'ref' | 'env' | 'storedBytes' | 'warnings'>>;

class AdoptRun {
  readonly #context: StoreContext;
  readonly #reach: AdoptReach;
  readonly #options: AdoptOptions;
  readonly #names: AdoptNames;
  readonly #standing = new Map<AdoptNode, Standing>();
  readonly #refused = new Set<AdoptNode>();
  /** Envs that were adopted before, by the path of their origin. */
  readonly #origins = new Map<string, { readonly name: string; readonly env: EnvDocument }>();
  readonly #total: number;
  #known: VersionsByTip | undefined;
  #done = 0;

  constructor(context: StoreContext, reach: AdoptReach, nodes: readonly AdoptNode[], options: AdoptOptions) {
    this.#context = context;
    this.#reach = reach;
    this.#options = options;
    const whole = nodes.filter((node) => node.fault === null);
    const refs = refNames(whole.filter((node) => !isLeaf(node)));
    this.#names = new Map([...refs, ...envNames(whole.filter(isLeaf))]);
    this.#total = whole.reduce((sum, { size }) => sum + size, 0);
  }

  /** Finds out what the store has already. */
  async lookAround(): Promise<void> {
    const { layout } = this.#context;
    for (const name of await listFolder(layout.envs)) {
      const env = await readEnvDocument(layout.envDocument(name));
      if (env.origin !== undefined) this.#origins.set(env.origin.path, { name, env });
    }
    if (this.#options.dryRun === true) return;
    // A store that may not be written takes in nothing: that is no fault of the images.
    await (await openStaging(this.#context))[Symbol.asyncDispose]();
    this.#known = await VersionsByTip.read(this.#context);
  }

  async adopt(node: AdoptNode): Promise<AdoptedImage> {
    const becomes = isLeaf(node) ? 'env' : 'version';
    const nothing = { version: null, ref: null, env: null, storedBytes: 0, warnings: [], error: null };
    const [file, base] = [node.file, node.base?.file ?? null];
    const facts = { file, base, becomes, state: 'refused', ...nothing } as const;
    try {
      const outcome = await this.#attempt(node);
      this.#done += node.size;
      return { ...facts, ...outcome };
    } catch (error) {
      const { signal } = this.#options;
      if (signal?.aborted) throw new CalveError('aborted', 'adopting was aborted', { cause: error });
      // What is wrong with one file does not keep the others out; where the store has no room, none can come in.
      if (!(error instanceof CalveError) || error.code === 'no-space') throw error;
      this.#refused.add(node);
      const { code, message, hint = null } = error;
      return { ...facts, error: { code, message, hint } };
    }
  }

  #attempt(node: AdoptNode): Promise<Outcome> {
    const { fault, base } = node;
    if (fault !== null) return Promise.reject(fault);
    if (base !== null && this.#refused.has(base)) {
      return Promise.reject(
        new CalveError('not-found', `${node.file} stands on ${base.file}, which cannot be adopted`),
      );
    }
    const below = base === null ? undefined : this.#standing.get(base);
    return isLeaf(node) ? this.#attemptEnv(node, below) : this.#attemptVersion(node, below);
  }

  async #attemptVersion(node: AdoptNode, below: Standing | undefined): Promise<Outcome> {
    const name = this.#names.get(node) ?? '';
    if (this.#known === undefined) return { state: 'planned', ref: `${name}:latest` };
    const { path } = node;
    await using image = await openImage(this.#reach, node, below?.stamp);
    const facts = { path, below: below?.version ?? null, name, known: this.#known };
    const { version, ref, isKnown, storedBytes } = await adoptVersion(
      this.#context,
      image,
      facts,
      this.#work(),
    );
    this.#standing.set(node, { version, ref, stamp: image.stamp });
    const state = isKnown ? 'known' : 'adopted';
    return { state, version: version.digest, ref, storedBytes, warnings: image.warnings };
  }

  async #attemptEnv(node: AdoptNode, below: Standing | undefined): Promise<Outcome> {
    const before = this.#origins.get(node.path);
    if (before !== undefined) return this.#recognise(node, before.name, before.env);
    const name = this.#names.get(node) ?? '';
    if (below === undefined) return { state: 'planned', env: name };
    await using image = await openImage(this.#reach, node, below.stamp);
    const { version, ref } = below;
    const facts = { path: node.path, version, ref, name };
    const env = await adoptEnv(this.#context, image, facts, this.#work());
    const { storedBytes, name: given } = env;
    return {
      ...{ state: 'adopted', version: version.digest, ref, env: given, storedBytes },
      warnings: image.warnings,
    };
  }

  /** An overlay that was adopted before is known by its path, as long as it is what it was then. */
  async #recognise(node: AdoptNode, name: string, { version, ref, origin }: EnvDocument): Promise<Outcome> {
    const stat = statFile(node.path);
    if (stat?.size === origin?.size && String(stat?.mtimeNs) === origin?.mtimeNs) {
      return { state: 'known', version, ref, env: name };
    }
    throw new CalveError('diverged', `${node.path} has changed since it became environment ${name}`, {
      hint: `calve rm ${name}, and adopt again`,
      data: { path: node.path, env: name },
    });
  }

  /** The progress of one image as that of all. */
  #work(): AdoptOptions {
    const { onProgress } = this.#options;
    const [before, total] = [this.#done, this.#total];
    return {
      ...this.#options,
      onProgress: ({ phase, done }) => onProgress?.({ phase, done: Math.min(before + done, total), total }),
    };
  }
}

/** An overlay on which nothing stands. */
function isLeaf(node: AdoptNode): boolean {
  return node.isOverlay && node.children.length === 0;
}
