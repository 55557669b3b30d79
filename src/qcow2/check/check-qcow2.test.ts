import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import {
  alignmentDamages,
  commonDamages,
  type Damage,
  SPECIAL_DAMAGES,
  sampled,
} from '../../../test/support/image-damages.ts';
import { IMAGE_KIND_NAMES, IMAGE_KINDS } from '../../../test/support/image-kinds.ts';
import { succeed } from '../../../test/support/programs.ts';
import { qemuIo } from '../../../test/support/qemu.ts';
import { type QemuCounts, qemuCounts } from '../../../test/support/qemu-check.ts';
import { SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { checkQcow2 } from './check-qcow2.ts';
import type { CheckReport } from './check-report.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);

function countsOf(report: CheckReport): QemuCounts {
  const { corruptions, leaks, checkErrors, totalClusters, allocatedClusters } = report;
  const { fragmentedClusters, compressedClusters, imageEndOffset } = report;
  return {
    ...{ corruptions, leaks, checkErrors, totalClusters, allocatedClusters },
    ...{ fragmentedClusters, compressedClusters, imageEndOffset },
  };
}

async function checkDamaged({ kind, damage, finds, unlike }: Damage): Promise<void> {
  const path = await images.damaged(kind, damage);
  const report = await checkQcow2(path);
  const told = new Set<string>(report.findings.map((finding) => finding.kind));
  for (const expected of finds) assert.ok(told.has(expected), `${expected} is not among ${[...told]}`);
  if (unlike) {
    assert.equal(report.corruptions, unlike.corruptions);
    assert.equal(report.leaks, unlike.leaks);
    assert.notDeepEqual(await qemuCounts(path), countsOf(report), 'QEMU agrees after all');
  } else {
    assert.deepEqual(countsOf(report), await qemuCounts(path));
  }
}

describe('a sound image has nothing to tell, and counts as QEMU counts it', () => {
  for (const kind of IMAGE_KIND_NAMES) {
    it(kind, async () => {
      const report = await checkQcow2(await images.path(kind));
      assert.deepEqual(report.findings, []);
      assert.deepEqual(countsOf(report), await qemuCounts(await images.path(kind)));
    });
  }
});

describe('damage that any image can have is counted as QEMU counts it', () => {
  const met = new Set<string>();
  const all = new Set<string>();
  for (const kind of IMAGE_KIND_NAMES) {
    const isSmall = IMAGE_KINDS[kind].options?.includes('cluster_size=512') ?? false;
    for (const damages of [commonDamages(kind), isSmall ? [] : alignmentDamages(kind)]) {
      for (const { name } of damages) all.add(name);
      for (const damage of sampled(kind, damages)) {
        met.add(damage.name);
        it(`${kind}: ${damage.name}`, () => checkDamaged(damage));
      }
    }
  }

  it('leaves out none of them', () =>
    assert.deepEqual(
      [...all].filter((name) => !met.has(name)),
      [],
    ));
});

describe('damage of its own kind is counted as QEMU counts it, where it does', () => {
  for (const damage of SPECIAL_DAMAGES) it(damage.name, () => checkDamaged(damage));
});

it('counts the length of a file in sectors, as QEMU does', async () => {
  const path = folder.join('cut.qcow2');
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=512', path, '1M']);
  await qemuIo(path, ['write 0 4k']);
  for (const name of ['one', 'two']) await succeed('qemu-img', ['snapshot', '-c', name, path]);
  const bytes = await readFile(path);
  const snapshotTable = Number(bytes.readBigUInt64BE(64));
  // Its last byte lies more than a cluster behind this end, and less than one behind the sector's.
  await writeFile(path, bytes.subarray(0, snapshotTable - 463));
  const counts = countsOf(await checkQcow2(path));
  assert.ok(counts.corruptions > 0);
  assert.deepEqual(counts, await qemuCounts(path));
});
