import { CalveError } from '../errors/index.ts';

/** distribution-spec 1.1, <name> and <reference>: docker's grammar. */
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** A ref's path is no longer than a registry takes. */
const LONGEST_PATH = 255;

/**
 * A ref's full name: `debian` is `debian:latest`.
 * @throws CalveError `usage` saying which part is malformed
 */
export function parseRefName(text: string): string {
  const parts = partsOf(text);
  const fault = faultOf(parts);
  if (fault !== undefined) throw new CalveError('usage', `ref '${text}': ${fault}`);
  return `${parts.path}:${parts.tag}`;
}

/** Whether `text` is a ref's name, with or without a tag. */
export function isRefName(text: string): boolean {
  return faultOf(partsOf(text)) === undefined;
}

interface Parts {
  readonly path: string;
  readonly tag: string;
}

function partsOf(text: string): Parts {
  const colon = text.lastIndexOf(':');
  return colon < 0
    ? { path: text, tag: 'latest' }
    : { path: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function faultOf({ path, tag }: Parts): string | undefined {
  if (!PATH.test(path)) return `expected lower-case letters and digits, with . _ - / between, got '${path}'`;
  if (path.length > LONGEST_PATH) return `expected at most ${LONGEST_PATH} characters, got ${path.length}`;
  if (!TAG.test(tag)) return `expected a tag of 1 to 128 letters, digits, . _ -, got '${tag}'`;
  // `sha256:…` is a digest wherever a version may be named.
  return path === 'sha256' ? 'the name sha256 is kept for digests' : undefined;
}

/** A ref's name made of a file's: `Debian 12.qcow2` is `debian-12:latest`; undefined when nothing is left of it. */
export function refNameOfFile(name: string): string | undefined {
  const path = name
    .toLowerCase()
    .replace(/\.[a-z0-9]+$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return isRefName(path) ? parseRefName(path) : undefined;
}
