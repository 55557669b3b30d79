import assert from 'node:assert/strict';
import { report, run } from './programs.ts';

/** The counts that `qemu-img check --output=json` prints; what it leaves out is 0. */
export interface QemuCounts {
  readonly corruptions: number;
  readonly leaks: number;
  readonly checkErrors: number;
  readonly totalClusters: number;
  readonly allocatedClusters: number;
  readonly fragmentedClusters: number;
  readonly compressedClusters: number;
  readonly imageEndOffset: number;
}

/** Checks an image with QEMU; undefined when it does not get to the end of the check. */
export async function qemuCounts(path: string, ...args: string[]): Promise<QemuCounts | undefined> {
  const ran = await run('qemu-img', ['check', '-f', 'qcow2', '--output', 'json', ...args, path]);
  if (!ran.stdout.startsWith('{')) {
    assert.equal(ran.code, 1, report(ran));
    return undefined;
  }
  const found: unknown = JSON.parse(ran.stdout);
  assert.ok(typeof found === 'object' && found !== null);
  const values = new Map<string, unknown>(Object.entries(found));
  const count = (name: string): number => {
    const value = values.get(name) ?? 0;
    assert.ok(typeof value === 'number');
    return value;
  };
  return {
    corruptions: count('corruptions'),
    leaks: count('leaks'),
    checkErrors: count('check-errors'),
    totalClusters: count('total-clusters'),
    allocatedClusters: count('allocated-clusters'),
    fragmentedClusters: count('fragmented-clusters'),
    compressedClusters: count('compressed-clusters'),
    imageEndOffset: count('image-end-offset'),
  };
}
