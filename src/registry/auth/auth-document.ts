import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { CalveError, errnoOf, systemError } from '../../errors/index.ts';

/** What docker's config.json and podman's auth.json hold of registries (containers-auth.json(5)). The rest is kept. */
export interface AuthDocument {
  readonly auths?: Readonly<Record<string, AuthEntry>> | undefined;
  /** Which helper knows a registry. */
  readonly credHelpers?: Readonly<Record<string, string>> | undefined;
  /** The helper that knows all others. */
  readonly credsStore?: string | undefined;
}

export interface AuthEntry {
  /** Base64 of `username:password`. */
  readonly auth?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly identitytoken?: string | undefined;
  readonly registrytoken?: string | undefined;
}

const text = v.optional(v.string());
const authDocumentSchema: v.GenericSchema<unknown, AuthDocument> = v.looseObject({
  auths: v.optional(
    v.record(
      v.string(),
      v.looseObject({ auth: text, username: text, password: text, identitytoken: text, registrytoken: text }),
    ),
  ),
  credHelpers: v.optional(v.record(v.string(), v.string())),
  credsStore: text,
});

/**
 * Reads a file of credentials; undefined when there is none.
 * @throws CalveError `corrupt` when it is not what it should be, without a word of what it holds; `denied`, `io`
 */
export async function readAuthDocument(path: string): Promise<AuthDocument | undefined> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw systemError(`cannot read the credentials in ${path}`, error);
  }
  // An empty file is what some tools begin with.
  if (content.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    // The parser's own message quotes the text.
    throw new CalveError('corrupt', `${path}: expected JSON`, { data: { path } });
  }
  const parsed = v.safeParse(authDocumentSchema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new CalveError(
    'corrupt',
    `${path}: ${v.getDotPath(issue) ?? 'document'}: expected ${issue.expected}`,
    {
      data: { path },
    },
  );
}
