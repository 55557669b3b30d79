import { CalveError } from '../errors/index.ts';
import { compareDisks, type DiskDifference } from '../guestfs/index.ts';
import { type FileStat, statFile } from '../host/index.ts';
import { openSides } from './compared-disks.ts';
import type { StoreContext } from './context.ts';
import { envInfo, findEnv } from './list-envs.ts';
import { readVersion } from './read-version.ts';
import type { UnsavedFiles, WorkOptions } from './types.ts';

const LARGEST = 10;

/**
 * What an env holds that its version does not, by files. As for its status no lock is taken, which would keep a starting
 * virtual machine from its own: an idle overlay is read, and looked at again afterwards.
 *
 * @throws CalveError `in-use` when somebody has it open, or wrote into it meanwhile; `corrupt`, `unsupported`
 */
export async function unsavedFiles(
  context: StoreContext,
  name: string,
  options: WorkOptions,
): Promise<UnsavedFiles> {
  const env = await findEnv(context, name);
  const isStill = async (stat: FileStat | undefined): Promise<boolean> => {
    const now = statFile(context.layout.overlay(name));
    return (await envInfo(context, name, env)).state === 'idle' && unchanged(stat, now);
  };
  const stat = statFile(context.layout.overlay(name));
  if (!(await isStill(stat))) throw inUse(name);
  const tally = new Tally();
  try {
    await using stack = new AsyncDisposableStack();
    const version = await readVersion(context, env.version);
    const disks = await openSides(context, stack, { env: null, version }, { env: name, version }, options);
    const { before, after, within } = disks;
    const { signal } = options;
    for await (const each of compareDisks(before, after, { within, signal })) tally.add(each);
    await disks.verify();
  } catch (error) {
    if (await isStill(stat)) throw error;
    throw inUse(name);
  }
  if (!(await isStill(stat))) throw inUse(name);
  return tally.sum();
}

function unchanged(a: FileStat | undefined, b: FileStat | undefined): boolean {
  return (
    a !== undefined && b !== undefined && a.inode === b.inode && a.size === b.size && a.mtimeNs === b.mtimeNs
  );
}

function inUse(name: string): CalveError {
  return new CalveError('in-use', `environment ${name} is in use, so that its files cannot be told`, {
    data: { env: name },
  });
}

type FileDifference = Extract<DiskDifference, { what: 'file' }>;

/** Counts differences, and keeps the largest. */
class Tally {
  readonly #counts = { added: 0, modified: 0, deleted: 0, renamed: 0 };
  readonly #other: UnsavedFiles['other'][number][] = [];
  /** The largest first. */
  #largest: FileDifference[] = [];
  #count = 0;
  #bytes = 0;

  add(difference: DiskDifference): void {
    if (difference.what !== 'file') {
      this.#other.push(difference);
      return;
    }
    const { kind, after, aspects } = difference.change;
    this.#counts[kind] += 1;
    if (after === null || after.type === 'directory') return;
    if (kind !== 'added' && !aspects.includes('content') && !aspects.includes('type')) return;
    this.#count += 1;
    if (after.type === 'file') this.#bytes += after.size;
    const at = this.#largest.findIndex(({ change }) => (change.after?.size ?? 0) < after.size);
    this.#largest.splice(at < 0 ? this.#largest.length : at, 0, difference);
    this.#largest = this.#largest.slice(0, LARGEST);
  }

  sum(): UnsavedFiles {
    return {
      count: this.#count,
      bytes: this.#bytes,
      largest: this.#largest,
      changes: this.#counts,
      other: this.#other,
    };
  }
}
