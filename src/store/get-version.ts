import type { StoreContext } from './context.ts';
import { resolveExpression } from './expressions.ts';
import { settled } from './locking.ts';
import { readVersion, versionInfo } from './read-version.ts';
import { readIndex } from './ref-index.ts';
import type { VersionInfo } from './types.ts';
import type { VersionDocument } from './version-document.ts';

/** The version that an expression names, as it is listed. */
export async function getVersion(context: StoreContext, expression: string): Promise<VersionInfo> {
  const version = await findVersion(context, expression);
  return versionInfo(version, await readIndex(context));
}

/** The version that an expression names. */
export async function findVersion(context: StoreContext, expression: string): Promise<VersionDocument> {
  await settled(context);
  const { version } = await resolveExpression(context, expression);
  return readVersion(context, version);
}
