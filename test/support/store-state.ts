import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openRawDisk } from '../../src/disk/index.ts';
import { statFile } from '../../src/host/index.ts';
import { digestOf } from '../../src/oci/index.ts';
import { denyBacking, openQcow2 } from '../../src/qcow2/index.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { contentOf } from './disk-content.ts';
import { besideStore } from './store-operations.ts';

/** The contents of versions, by digest. */
export type KnownVersions = Map<string, string>;

/**
 * Everything of a store that a person would miss; digests, which hold the time, are replaced by messages.
 * @param known versions that were read before, in this store or another, and are not read again: their blobs hash to
 * the same names, which `assertSound` finds out at less cost
 */
export async function stateOf(store: Store, known: KnownVersions = new Map()): Promise<unknown[]> {
  const messages = new Map<string, string>();
  const messageOf = async (version: string): Promise<string> => {
    const message = messages.get(version) ?? (await store.versions.get(version)).message;
    messages.set(version, message);
    return message;
  };
  const contentOfVersion = async (version: string): Promise<string> => {
    const content = known.get(version) ?? (await contentOf(store.versions.openDisk(version)));
    known.set(version, content);
    return content;
  };
  const state: unknown[] = [];
  for (const { name, version } of await store.refs.list()) {
    state.push(['ref', name, await messageOf(version), await contentOfVersion(version)]);
  }
  for (const { name, version, ref } of await store.envs.list()) {
    state.push(['env', name, await messageOf(version), ref, await contentOf(store.envs.openDisk(name))]);
  }
  // By name: what is removed together is in the order of its removal only where that took longer than a millisecond.
  const trash = (await store.trash.list()).sort((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1));
  for (const { id, name, version } of trash) {
    const overlay = await readFile(join(store.folder, 'trash', id, 'disk.qcow2'));
    state.push(['trash', name, await messageOf(version), digestOf(overlay)]);
  }
  return state;
}

/** What the operations that write beside a store left there. */
export async function stateBeside(store: Store): Promise<unknown[]> {
  const beside = besideStore(store);
  const state: unknown[] = [];
  if (statFile(join(beside.store, 'oci-layout')) !== undefined) {
    state.push(['store', await stateOf(await openStore(beside.store, { create: false }))]);
  }
  if (statFile(beside.qcow2) !== undefined) {
    state.push(['qcow2', await contentOf(openQcow2(beside.qcow2, { backing: denyBacking }))]);
  }
  if (statFile(beside.raw) !== undefined) state.push(['raw', await contentOf(openRawDisk(beside.raw))]);
  return state;
}

/** Asserts that a check finds the store sound, and that nothing unfinished is left behind it. */
export async function assertSound(store: Store, when: string): Promise<void> {
  assert.deepEqual((await store.fsck()).problems, [], when);
  for (const room of ['tmp', 'journal']) {
    assert.deepEqual(await readdir(join(store.folder, room)), [], `${room}, ${when}`);
  }
}
