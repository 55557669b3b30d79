import { CalveError } from '../errors/index.ts';
import { type Digest, isDigest } from '../oci/index.ts';

/** Something in a registry: a repository, and what of it, if that was said. */
export interface RegistryReference {
  /** Name or address of the registry, in lower case, with the port where one was given: `ghcr.io`, `localhost:5000`. */
  readonly host: string;
  /** `team/debian`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** distribution-spec 1.1, Pulling manifests: <name>, and <reference> as a tag. */
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
/** RFC 3986, 3.2.2, without percent-encoding, and only what makes it a host rather than a repository's first part. */
const HOST =
  /^(?:localhost|\[[0-9a-f:]+\]|(?=[^:]*\.|[^:]*:)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::([0-9]{1,5}))?$/;

/** Many clients limit a host and a repository to this many characters together (distribution-spec 1.1). */
const LONGEST_NAME = 255;

/**
 * Understands `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`. The host is always written: it has a dot or a port, or is
 * `localhost`, so that no local name is ever taken for a remote one. `docker.io/NAME` is `docker.io/library/NAME`.
 *
 * @throws CalveError `usage`, saying which part is malformed; `unsupported` for a digest that is not sha256
 */
export function parseReference(text: string): RegistryReference {
  const slash = text.indexOf('/');
  if (slash < 0) throw bad(text, 'HOST/REPOSITORY[:TAG][@DIGEST]');
  const host = checkHost(text, text.slice(0, slash).toLowerCase());
  const [named = '', digest, ...more] = text.slice(slash + 1).split('@');
  if (more.length > 0) throw bad(text, 'one digest at most');
  const colon = named.indexOf(':');
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : checkTag(text, named.slice(colon + 1));
  const repository = checkRepository(text, host, path);
  return {
    host,
    repository,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest: checkDigest(text, digest) }),
  };
}

/** The reference as `parseReference` takes it. */
export function formatReference({ host, repository, tag, digest }: RegistryReference): string {
  return `${host}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/**
 * A registry's name, as `login` takes it.
 * @throws CalveError `usage`
 */
export function parseRegistryHost(text: string): string {
  return checkHost(text, text.toLowerCase());
}

/** Whether a name can be a tag. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

function checkHost(text: string, host: string): string {
  const found = HOST.exec(host);
  if (!found) throw bad(text, `a registry's host with a dot or a port, or localhost, not '${host}'`);
  const port = Number(found[1] ?? 443);
  if (port < 1 || port > 65_535) throw bad(text, `a port from 1 to 65535, not ${found[1]}`);
  if (!URL.canParse(`https://${host}/`)) throw bad(text, `a registry's host, not '${host}'`);
  return host;
}

function checkRepository(text: string, host: string, path: string): string {
  if (!REPOSITORY.test(path)) {
    throw bad(text, `a repository of lower-case letters and digits, with . _ - / between, not '${path}'`);
  }
  const name = host === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  if (host.length + 1 + name.length > LONGEST_NAME) {
    throw bad(text, `at most ${LONGEST_NAME} characters of host and repository`);
  }
  return name;
}

function checkTag(text: string, tag: string): string {
  if (!TAG.test(tag)) throw bad(text, `a tag of 1 to 128 letters, digits, . _ -, not '${tag}'`);
  return tag;
}

function checkDigest(text: string, digest: string): Digest {
  if (isDigest(digest)) return digest;
  if (/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9=_-]+$/.test(digest) && !digest.startsWith('sha256:')) {
    throw new CalveError('unsupported', `${text}: digests other than sha256 are not supported`);
  }
  throw bad(text, `a digest sha256: and 64 lower-case hex digits, not '${digest}'`);
}

function bad(text: string, expected: string): CalveError {
  return new CalveError('usage', `${text}: expected ${expected}`);
}
