import { utimesSync } from 'node:fs';
import { systemError } from '../errors/index.ts';
import type { Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';

/**
 * Notes that a ref or an env let go of a version just now: its grace begins anew, for it and all that it leads to.
 * What notes it is the time of the manifest's file, as git notes with a loose object's: it needs no space, costs no
 * sync, and a crash that loses it loses only that. Nothing else goes by that time (stamps vouch for layers alone).
 * The store lock is held.
 */
export function letGoOf(context: StoreContext, version: Digest): void {
  const now = new Date();
  try {
    utimesSync(context.layout.blob(version), now, now);
  } catch (error) {
    const failed = systemError(`cannot set the time of version ${version}`, error);
    // Gone with its last user, which gc or a person removed by hand; or another user's file, or made immutable: then
    // the time when it was written counts.
    if (failed.code !== 'not-found' && failed.code !== 'denied') throw failed;
  }
}
