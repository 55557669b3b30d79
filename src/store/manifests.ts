import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { CalveError, systemError } from '../errors/index.ts';
import { digestOf, digestOfHex, isHex } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { listFolder } from './staging.ts';
import { type DecodedManifest, decodeManifest, VERSION_TYPE } from './version-document.ts';

/** No manifest is larger, bytes: registries take no more. */
export const LARGEST_MANIFEST: number = 4 << 20;

/** Told of a document that does not parse, with its path. */
export type OnBroken = (path: string, error: CalveError) => void;

/**
 * Every version's manifest whose bytes hash to its name.
 * @param prefix of the hex digest
 * @param onBroken is told of a manifest that is not one after all; without it that is thrown
 */
export async function* manifestsOf(
  context: StoreContext,
  prefix = '',
  onBroken?: OnBroken,
): AsyncGenerator<DecodedManifest> {
  const names = await listFolder(context.layout.blobs);
  yield* manifestsAmong(
    context,
    names.filter((name) => name.startsWith(prefix)),
    onBroken,
  );
}

/** As `manifestsOf`, of some of the files of `blobs/`. */
export async function* manifestsAmong(
  context: StoreContext,
  names: readonly string[],
  onBroken?: OnBroken,
): AsyncGenerator<DecodedManifest> {
  for (const hex of names) {
    if (!isHex(hex)) continue;
    const digest = digestOfHex(hex);
    const path = context.layout.blob(digest);
    const text = readSmallDocument(path);
    if (text === undefined || !isVersion(text) || digestOf(text) !== digest) continue;
    try {
      yield decodeManifest(text, digest);
    } catch (error) {
      if (onBroken === undefined || !(error instanceof CalveError)) throw error;
      onBroken(path, error);
    }
  }
}

function isVersion(text: string): boolean {
  // Most documents are told apart without being parsed; a commit's message may well hold these words.
  if (!text.includes(VERSION_TYPE)) return false;
  try {
    const document: unknown = JSON.parse(text);
    return (
      typeof document === 'object' &&
      document !== null &&
      'artifactType' in document &&
      document.artifactType === VERSION_TYPE
    );
  } catch (error) {
    if (error instanceof SyntaxError) return false; // fsck finds it by its hash
    throw error;
  }
}

const BRACE = 0x7b;
/** More than nearly every manifest has, and little to read of a layer in vain. */
const beginning: Buffer = Buffer.alloc(8192);

/** A small JSON file's text; undefined for anything else, and where it went away meanwhile. */
function readSmallDocument(path: string): string | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      const count = readSync(fd, beginning, 0, beginning.length, 0);
      if (count === 0 || beginning[0] !== BRACE) return undefined;
      if (count < beginning.length) return beginning.toString('utf8', 0, count);
      return fstatSync(fd).size > LARGEST_MANIFEST ? undefined : readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const failed = systemError(`cannot read ${path}`, error);
    if (failed.code === 'not-found') return undefined;
    throw failed;
  }
}
