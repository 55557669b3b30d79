import { mkdir, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, systemError } from '../../errors/index.ts';
import { writeFileDurably } from '../../host/index.ts';
import { type AuthDocument, readAuthDocument } from './auth-document.ts';
import { authKey, authKeys } from './auth-keys.ts';
import { type AuthPlaces, fileToStoreIn } from './auth-places.ts';
import { CredentialHelper } from './credential-helper.ts';
import { basicAuth } from './credentials.ts';

/** Where credentials went, or were. */
export interface CredentialsPlace {
  readonly file: string;
  /** The program that keeps the secret instead of the file. */
  readonly helper?: string;
}

/**
 * Keeps credentials for a registry where docker would: with the helper that the file names, else in the file, which nobody
 * else may read. What else the file holds stays.
 * @throws CalveError `corrupt` for a file that is broken: it is left as it is; `denied`, `no-space`, `io`; what a helper does
 */
export async function storeCredentials(
  host: string,
  credentials: { readonly username: string; readonly password: string },
  places: AuthPlaces,
): Promise<CredentialsPlace> {
  const file = await placeOf(places);
  const document = (await readAuthDocument(file)) ?? {};
  const helper = helperFor(document, host);
  const { username, password } = credentials;
  if (helper !== undefined) await new CredentialHelper(helper, places.env).store(authKey(host), credentials);
  const entry = helper === undefined ? { auth: basicAuth(username, password) } : {};
  await write(file, { ...document, auths: { ...document.auths, [authKey(host)]: entry } });
  return { file, ...(helper !== undefined && { helper: `docker-credential-${helper}` }) };
}

/**
 * Forgets a registry's credentials; undefined when there were none.
 * @throws as `storeCredentials`
 */
export async function forgetCredentials(
  host: string,
  places: AuthPlaces,
): Promise<CredentialsPlace | undefined> {
  const file = await placeOf(places);
  const document = await readAuthDocument(file);
  if (document === undefined) return undefined;
  const helper = helperFor(document, host);
  const keeper = helper === undefined ? undefined : new CredentialHelper(helper, places.env);
  const kept = (await keeper?.get(authKey(host))) !== undefined;
  if (kept) await keeper?.erase(authKey(host));
  const keys = new Set(authKeys(host, undefined));
  const entries = Object.entries(document.auths ?? {});
  const others = entries.filter(([key]) => !keys.has(key));
  if (others.length < entries.length) await write(file, { ...document, auths: Object.fromEntries(others) });
  else if (!kept) return undefined;
  return { file, ...(helper !== undefined && { helper: `docker-credential-${helper}` }) };
}

function helperFor(document: AuthDocument, host: string): string | undefined {
  const own = document.credHelpers?.[authKey(host)] ?? document.credHelpers?.[host];
  return own ?? (document.credsStore || undefined);
}

/** The file itself, where its name is a link to it: people keep such files in a folder of their own. */
async function placeOf(places: AuthPlaces): Promise<string> {
  const path = fileToStoreIn(places);
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return path;
    throw systemError(`cannot find ${path}`, error);
  }
}

async function write(path: string, document: AuthDocument): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw systemError(`cannot make ${dirname(path)}`, error);
  }
  await writeFileDurably(path, `${JSON.stringify(document, undefined, '\t')}\n`, { mode: 0o600 });
}
