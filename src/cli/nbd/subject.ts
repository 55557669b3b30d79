import { readFile } from 'node:fs/promises';
import { CalveError, systemError } from '../../errors/index.ts';
import { statFile } from '../../host/index.ts';
import { diskExport, type ExportSource, fixedExports, openImageFile } from '../../nbd/index.ts';
import type { Store, Target } from '../../store/index.ts';
import type { Session } from '../session.ts';
import { shortDigest } from '../short-digest.ts';
import { resolveTarget } from '../target.ts';
import type { NbdOptions } from './nbd-options.ts';
import { parseSnapshot } from './parse-snapshot.ts';

/** What is served. */
export interface Subject extends AsyncDisposable {
  readonly exports: ExportSource;
  /** For people: `web, an environment, for reading and writing`. */
  readonly title: string;
  /** What clients ask for; null where there are many names. */
  readonly exportName: string | null;
}

type OpenedDisk = Awaited<ReturnType<typeof openImageFile>>;

/**
 * Opens what is to be served, and with it takes its locks, so that what is wrong shows before anybody connects; of a
 * whole store each export is opened when a client comes.
 * @throws CalveError `usage` for options that do not fit; what opening throws
 */
export async function openSubject(
  session: Session,
  target: string | undefined,
  options: NbdOptions,
): Promise<Subject> {
  if (target === undefined) return storeSubject(session, options);
  const found = isPath(target) ? null : await findInStore(session, target, options);
  if (found === null) return fileSubject(target, options);
  return targetSubject(session, found, target, options);
}

/** Everything in the store. */
async function storeSubject(session: Session, options: NbdOptions): Promise<Subject> {
  const { store: folder, wholeStore } = session.globals;
  if (folder === undefined && wholeStore !== true) {
    throw new CalveError('usage', 'nothing was named to be served', {
      hint: 'calve nbd ENV, REF or FILE; calve nbd --store serves everything in the store',
    });
  }
  refuse(options, 'with a whole store', ['description', 'bitmap', ...OF_FILES]);
  const store = await session.openStore();
  const { readOnly = false, shared, allocationDepth, exportName } = options;
  const exports = await store.nbdExports({
    ...{ readOnly, maxClients: shared, allocationDepth, default: exportName },
  });
  const title = `every ref and environment of ${store.folder}${readOnly ? ', read-only' : ''}`;
  return { exports, title, exportName: null, [Symbol.asyncDispose]: async () => {} };
}

/** A version or an environment. */
async function targetSubject(
  session: Session,
  { store, target }: Found,
  name: string,
  options: NbdOptions,
): Promise<Subject> {
  refuse(options, `with ${target.kind === 'env' ? 'an environment' : 'a version'}`, OF_FILES);
  const { output, signal } = session;
  const readOnly = options.readOnly === true || target.kind === 'version';
  await output.during(name, (onProgress) => store.versions.verify(target.version, { signal, onProgress }));
  const disk =
    target.kind === 'env'
      ? await store.envs.openDisk(target.name, { writable: !readOnly })
      : await store.versions.openDisk(target.version);
  const what = target.kind === 'env' ? 'an environment' : `version ${shortDigest(target.version)}`;
  return diskSubject(disk, `${name}, ${what}`, readOnly, options);
}

async function fileSubject(path: string, options: NbdOptions): Promise<Subject> {
  const { format, chain, loadSnapshot, secretFile } = options;
  const snapshot = loadSnapshot === undefined ? undefined : parseSnapshot(loadSnapshot);
  const readOnly = options.readOnly === true || snapshot !== undefined;
  const passphrase = secretFile === undefined ? undefined : await readSecret(secretFile);
  const disk = await openImageFile(path, { format, chain, snapshot, passphrase, writable: !readOnly });
  passphrase?.fill(0);
  return diskSubject(disk, path, readOnly, options);
}

async function diskSubject(
  disk: OpenedDisk,
  title: string,
  readOnly: boolean,
  { shared, exportName = '', description, allocationDepth, bitmap }: NbdOptions,
): Promise<Subject> {
  try {
    const only = await diskExport(disk, {
      ...{ readOnly, name: exportName, description, allocationDepth, bitmaps: bitmap, fastZeroes: true },
      // As for qemu-nbd: those who write would not know of one another. Who only reads disturbs nobody.
      maxClients: shared ?? (readOnly ? 0 : 1),
    });
    return {
      exports: fixedExports([only]),
      title: `${title}, ${readOnly ? 'read-only' : 'for reading and writing'}`,
      exportName,
      [Symbol.asyncDispose]: () => disk.close(),
    };
  } catch (error) {
    await disk.close();
    throw error;
  }
}

interface Found {
  readonly store: Store;
  readonly target: Target;
}

/** A word that can only mean a file. */
function isPath(target: string): boolean {
  return /^\.{0,2}\//.test(target);
}

/** An environment or a version of this name; null when there is none and a file is. */
async function findInStore(session: Session, target: string, options: NbdOptions): Promise<Found | null> {
  const isFile = statFile(target) !== undefined;
  if (isFile && OF_FILES.some((option) => options[option] !== undefined)) return null;
  try {
    const store = await session.openStore({ create: !isFile && session.globals.store === undefined });
    const found = await resolveTarget(session, store, target);
    if (isFile)
      session.output.say(`${target} is in the store and a file: taking the former (the file is ./${target})`);
    return { store, target: found };
  } catch (error) {
    // No store, no such name, or one that cannot be a name.
    if (isFile && (CalveError.is(error, 'not-found') || CalveError.is(error, 'usage'))) return null;
    throw error;
  }
}

const OF_FILES = ['format', 'chain', 'loadSnapshot', 'secretFile'] as const;

const NAMES: Readonly<Partial<Record<keyof NbdOptions, string>>> = {
  description: '--description',
  bitmap: '--bitmap',
  format: '--format',
  chain: '--chain',
  loadSnapshot: '--load-snapshot',
  secretFile: '--secret-file',
};

function refuse(options: NbdOptions, where: string, names: readonly (keyof NbdOptions)[]): void {
  const said = names.find((name) => options[name] !== undefined);
  if (said !== undefined) throw new CalveError('usage', `${NAMES[said]} does not go ${where}`);
}

async function readSecret(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw systemError(`cannot read ${path}`, error);
  }
}
