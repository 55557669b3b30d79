import { link, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { systemError } from '../errors/index.ts';
import { makeMutable, statFile, syncFolder } from '../host/index.ts';
import { type Digest, hexOf } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { listFolder } from './staging.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Files that lay under a blob's name and were not it: `harmed/<hex>@<time>`. Whoever wrote into a base by mistake finds
 * here what was written, for as long as the trash keeps things.
 */
const NAME = /^[0-9a-f]{64}@(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{3})Z$/;

/**
 * Keeps what lies under a blob's name; it lies there as well until another file is renamed over it. The store lock is
 * held. Returns where, below the store; null when there was nothing.
 */
export async function keepHarmed(context: StoreContext, blob: Digest): Promise<string | null> {
  const path = context.layout.blob(blob);
  const there = statFile(path);
  if (there === undefined) return null;
  const { harmed } = context.layout;
  const name = freeName(harmed, blob);
  try {
    await mkdir(harmed, { recursive: true });
    if (there.kind === 'file') {
      await makeMutable(path);
      await link(path, join(harmed, name));
    } else await rename(path, join(harmed, name));
    await syncFolder(harmed);
  } catch (error) {
    throw systemError(`cannot keep ${path} in ${harmed}`, error);
  }
  return `harmed/${name}`;
}

function freeName(folder: string, blob: Digest): string {
  for (let time = Date.now(); ; time++) {
    const name = `${hexOf(blob)}@${new Date(time).toISOString().replace(/[-:]/g, '')}`;
    if (statFile(join(folder, name)) === undefined) return name;
  }
}

/** What has been kept for longer than so many days, by its path below the store. */
export async function expiredHarmed(context: StoreContext, days: number): Promise<string[]> {
  const since = Date.now() - days * DAY_MS;
  const names = await listFolder(context.layout.harmed);
  return names.filter((name) => (keptSince(name) ?? since) < since).map((name) => `harmed/${name}`);
}

/** Milliseconds since 1970; undefined for what calve did not put there. */
function keptSince(name: string): number | undefined {
  const [, year, month, day, hour, minute, second, ms] = NAME.exec(name) ?? [];
  if (ms === undefined) return undefined;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
}
