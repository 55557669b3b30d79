import { realpath } from 'node:fs/promises';
import { relative } from 'node:path';
import { CalveError, systemError } from '../errors/index.ts';
import { openFile, statFile } from '../host/index.ts';
import { backingPath, type Qcow2Header, readHeader } from '../qcow2/index.ts';

/** An image that is to be adopted, and what stands on it. */
export interface AdoptNode {
  /** Absolute, links resolved. */
  readonly path: string;
  /** Below the folder; the whole path where it lies outside. */
  readonly file: string;
  readonly format: 'raw' | 'qcow2';
  /** Bytes of its disk, as far as its header tells. */
  readonly size: number;
  /** Whether it names a base, be that found or not. */
  readonly isOverlay: boolean;
  readonly base: AdoptNode | null;
  /** Why it cannot be adopted. */
  readonly fault: CalveError | null;
  readonly children: AdoptNode[];
}

/** Which files may be read. */
export interface AdoptReach {
  /** An absolute real path. */
  readonly folder: string;
  /** Outside of it too. */
  readonly follow: boolean;
}

/**
 * What stands on what, by the headers of images alone: every image, each after its base, and siblings by name. Bases are
 * found by the names that images have for them.
 * @param paths of qcow2 files, absolute and real
 */
export async function growForest(reach: AdoptReach, paths: readonly string[]): Promise<AdoptNode[]> {
  const grower = new ForestGrower(reach);
  for (const path of paths) await grower.node(path, 'qcow2');
  const roots = grower.nodes.filter((node) => node.base === null);
  return roots.sort(byFile).flatMap(withChildren);
}

function withChildren(node: AdoptNode): AdoptNode[] {
  return [node, ...node.children.sort(byFile).flatMap(withChildren)];
}

function byFile(a: AdoptNode, b: AdoptNode): number {
  return a.file < b.file ? -1 : 1;
}

class ForestGrower {
  readonly #reach: AdoptReach;
  /** By format and path: what one image takes as raw may be another's qcow2. */
  readonly #nodes = new Map<string, AdoptNode>();
  /** The images above the one that is looked at. */
  readonly #above: string[] = [];

  constructor(reach: AdoptReach) {
    this.#reach = reach;
  }

  get nodes(): AdoptNode[] {
    return [...this.#nodes.values()];
  }

  async node(path: string, format: AdoptNode['format']): Promise<AdoptNode> {
    const key = `${format} ${path}`;
    const there = this.#nodes.get(key);
    if (there !== undefined) return there;
    if (this.#above.includes(key)) {
      const cycle = [...this.#above.slice(this.#above.indexOf(key)), key].map((each) =>
        each.slice(each.indexOf(' ') + 1),
      );
      throw new CalveError('invalid', `the backing chain is a cycle: ${cycle.join(' -> ')}`);
    }
    this.#above.push(key);
    const node = await this.#look(path, format);
    this.#above.pop();
    this.#nodes.set(key, node);
    node.base?.children.push(node);
    return node;
  }

  async #look(path: string, format: AdoptNode['format']): Promise<AdoptNode> {
    const { folder } = this.#reach;
    const file = liesIn(folder, path) ? relative(folder, path) : path;
    const known = { path, file, format, children: [] };
    if (format === 'raw') {
      const size = statFile(path)?.size ?? 0;
      return { ...known, size, isOverlay: false, base: null, fault: null };
    }
    let [size, isOverlay] = [0, false];
    try {
      const header = await headerOf(path);
      size = header.size;
      isOverlay = header.backingFile !== undefined;
      return { ...known, size, isOverlay, base: await this.#baseOf(path, header), fault: null };
    } catch (error) {
      if (!(error instanceof CalveError)) throw error;
      return { ...known, size, isOverlay, base: null, fault: error };
    }
  }

  async #baseOf(path: string, { backingFile, backingFormat }: Qcow2Header): Promise<AdoptNode | null> {
    if (backingFile === undefined) return null;
    const base = await realPath(backingPath({ imagePath: path, backingFile, backingFormat }), path);
    checkReach(this.#reach, base, path);
    return this.node(base, backingFormat === 'raw' ? 'raw' : 'qcow2');
  }
}

function liesIn(folder: string, path: string): boolean {
  const within = relative(folder, path);
  return within !== '..' && !within.startsWith('../');
}

async function headerOf(path: string): Promise<Qcow2Header> {
  await using file = await openFile(path);
  return await readHeader(file);
}

async function realPath(path: string, namedBy: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = systemError(`cannot look at ${path}`, error);
    throw new CalveError(code, `${namedBy}: its backing file is not at ${path}`, {
      cause: error,
      hint: `qemu-img rebase -u -F FORMAT -b WHERE-IT-IS-NOW ${namedBy}`,
      data: { imagePath: namedBy, backingFile: path },
    });
  }
}

/**
 * Whether a file may be read because an image names it.
 * @param path links resolved
 * @throws CalveError `denied`
 */
export function checkReach({ folder, follow }: AdoptReach, path: string, namedBy: string): void {
  if (follow || liesIn(folder, path)) return;
  throw new CalveError('denied', `${namedBy} names ${path}, which lies outside of ${folder}`, {
    hint: `calve adopt --follow ${folder}, if you trust what its images name`,
    data: { imagePath: namedBy, path, folder },
  });
}
