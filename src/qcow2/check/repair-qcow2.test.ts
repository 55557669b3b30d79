import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { DamagedImage } from '../../../test/support/damaged-image.ts';
import {
  alignmentDamages,
  commonDamages,
  type Damage,
  SPECIAL_DAMAGES,
  sampled,
} from '../../../test/support/image-damages.ts';
import { IMAGE_KINDS, type ImageKindName } from '../../../test/support/image-kinds.ts';
import { run } from '../../../test/support/programs.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { readContent, SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { checkQcow2 } from './check-qcow2.ts';
import { repairQcow2 } from './repair-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);
const KINDS: readonly ImageKindName[] = [
  'version 2',
  'snapshots',
  'subclusters',
  'refcounts of 1 bit',
  'refcounts of 64 bits',
  'clusters of 2 MiB',
];

/** What a guest should read after the repair. */
async function expectedContent(path: string, { kind, reads = 'as before' }: Damage): Promise<Buffer> {
  if (reads === 'qemu') {
    const other = `${path}.qemu`;
    await copyFile(path, other);
    await run('qemu-img', ['check', '-q', '-f', 'qcow2', '-r', 'all', other]);
    return readContent(other);
  }
  const content = Buffer.from(await images.content(kind));
  if (reads === 'as before') return content;
  const { clusterSize } = await DamagedImage.open(path);
  for (const cluster of reads.zeroed) content.fill(0, cluster * clusterSize, (cluster + 1) * clusterSize);
  return content;
}

async function repairDamaged(damage: Damage): Promise<void> {
  const path = await images.damaged(damage.kind, damage.damage);
  const content = await expectedContent(path, damage);
  const report = await repairQcow2(path, { repair: 'all' });
  const { corruptions, leaks, checkErrors, findings } = await checkQcow2(path);
  const told = findings.map((finding) => JSON.stringify(finding)).join('\n');
  const left = damage.left ?? { corruptions: 0, leaks: 0 };
  assert.deepEqual({ corruptions, leaks }, { corruptions: left.corruptions, leaks: left.leaks }, told);
  assert.equal(report.corruptions, corruptions);
  assert.equal(report.leaks, leaks);
  if (damage.left === undefined) assert.ok(report.corruptionsFixed + report.leaksFixed > 0);
  if (checkErrors === 0) {
    const counts = await qemuCounts(path);
    assert.deepEqual({ corruptions: counts?.corruptions, leaks: counts?.leaks }, { corruptions, leaks });
  }
  if (left.corruptions + checkErrors > 0) return;
  assert.ok((await readContent(path)).equals(content), 'the guest reads something else');
  if (damage.kind !== 'snapshots' || damage.reads !== undefined) return;
  const snapshot = await images.content(damage.kind, 's1');
  assert.ok((await readContent(path, 's1')).equals(snapshot), 'the snapshot reads something else');
}

describe('what is repaired is found sound, by QEMU too, and reads as it should', () => {
  for (const kind of KINDS) {
    const isSmall = IMAGE_KINDS[kind].options?.includes('cluster_size=512') ?? false;
    for (const damages of [commonDamages(kind), isSmall ? [] : alignmentDamages(kind)]) {
      for (const damage of sampled(kind, damages)) it(`${kind}: ${damage.name}`, () => repairDamaged(damage));
    }
  }
  for (const damage of SPECIAL_DAMAGES) it(damage.name, () => repairDamaged(damage));
});
