import assert from 'node:assert/strict';
import type { DiskFile } from '../../src/disk/index.ts';
import { inspectImage } from '../../src/qcow2/check/inspect-image.ts';
import { ImageFile } from '../../src/qcow2/image-file.ts';
import type { CheckReport } from '../../src/qcow2/index.ts';

/** Checks the image in a file. */
export async function inspect(file: DiskFile): Promise<CheckReport> {
  return (await inspectImage(new ImageFile(file))).report;
}

/** Asserts that calve's check finds nothing to say about the image in a file. */
export async function assertSound(file: DiskFile): Promise<void> {
  const { corruptions, leaks, checkErrors, findings } = await inspect(file);
  const found = JSON.stringify(findings.slice(0, 3));
  assert.deepEqual({ corruptions, leaks, checkErrors }, { corruptions: 0, leaks: 0, checkErrors: 0 }, found);
}
