import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
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
  for (const hex of await listFolder(context.layout.blobs)) {
    if (!hex.startsWith(prefix) || !isHex(hex)) continue;
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

/** A small JSON file's text; undefined for anything else, and where it went away meanwhile. */
function readSmallDocument(path: string): string | undefined {
  try {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY) > LARGEST_MANIFEST)
      return undefined;
    const fd = openSync(path, 'r');
    try {
      const first = Buffer.alloc(1);
      if (readSync(fd, first, 0, 1, 0) === 0 || first[0] !== BRACE) return undefined;
      return readFileSync(fd, 'utf8');
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const failed = systemError(`cannot read ${path}`, error);
    if (failed.code === 'not-found') return undefined;
    throw failed;
  }
}
