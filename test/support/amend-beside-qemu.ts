import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { type Amendment, amendQcow2 } from '../../src/qcow2/index.ts';
import { succeed } from './programs.ts';
import { qemuImgCheck, qemuImgCompare } from './qemu.ts';
import { readContent } from './sound-images.ts';

/** What `qemu-img info` says of an image, but for where it lies and what it takes up. */
export async function qemuInfo(path: string): Promise<Map<string, unknown>> {
  const printed: unknown = JSON.parse(
    await succeed('qemu-img', ['info', '-f', 'qcow2', '--output', 'json', path]),
  );
  assert.ok(typeof printed === 'object' && printed !== null);
  const info = new Map<string, unknown>(Object.entries(printed));
  for (const key of ['filename', 'actual-size', 'children']) info.delete(key);
  return info;
}

/** Runs `qemu-img amend -o`. */
export function qemuAmend(path: string, options: string): Promise<string> {
  return succeed('qemu-img', ['amend', '-t', 'unsafe', '-f', 'qcow2', '-o', options, path]);
}

/** How an amendment by calve is compared with one by QEMU. */
export interface Beside {
  readonly amendment: Amendment;
  /** `qemu-img amend -o`, or what does the same. */
  readonly qemu: string | ((path: string) => Promise<unknown>);
  /** Names of snapshots. */
  readonly snapshots?: readonly string[];
  /** Whether QEMU leaves an image that is as it should be (default true). */
  readonly trusted?: boolean;
}

/**
 * Amends two copies of an image, one with calve and one with QEMU, in the image's folder. Asserts that QEMU finds
 * nothing wrong with calve's, that disk and snapshots read as before, and that both are alike. Resolves to calve's.
 */
export async function amendBesideQemu(image: string, beside: Beside): Promise<string> {
  const { amendment, qemu, snapshots = [], trusted = true } = beside;
  const [ours, theirs] = [`${image}.calve`, `${image}.qemu`];
  await copyFile(image, ours);
  await copyFile(image, theirs);
  await amendQcow2(ours, amendment);
  await (typeof qemu === 'string' ? qemuAmend(theirs, qemu) : qemu(theirs));
  await qemuImgCheck(ours);
  assert.deepEqual(await qemuInfo(ours), await qemuInfo(theirs));
  if (trusted) await qemuImgCompare(ours, 'qcow2', theirs, 'qcow2');
  for (const name of snapshots) {
    assert.ok((await readContent(ours, name)).equals(await readContent(image, name)), `snapshot ${name}`);
  }
  return ours;
}
