import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { COPIED, DamagedImage } from '../../../test/support/damaged-image.ts';
import { commonDamages, SPECIAL_DAMAGES } from '../../../test/support/image-damages.ts';
import { run } from '../../../test/support/programs.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { readContent, SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { FindingKind } from './finding.ts';
import { repairQcow2 } from './repair-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);

/** With these, calve keeps what looks leaked, and QEMU gives it back. */
const KEEPS_LEAKS: readonly FindingKind[] = [
  'past-end',
  'l2-table-unaligned',
  'cluster-unaligned',
  'compressed-subclusters',
  'snapshot-l1-unaligned',
  'snapshot-l1-too-large',
];

describe('repairing leaks', () => {
  for (const { name, kind, damage } of [...commonDamages('snapshots'), ...SPECIAL_DAMAGES]) {
    it(`does what QEMU does, or less: ${name}`, async () => {
      const path = await images.damaged(kind, damage);
      const other = `${path}.qemu`;
      await copyFile(path, other);
      await run('qemu-img', ['check', '-q', '-f', 'qcow2', '-r', 'leaks', other]);
      const report = await repairQcow2(path, { repair: 'leaks' });
      const kinds = report.before.findings.map((finding) => finding.kind);
      const counts = await qemuCounts(other);
      assert.ok(report.corruptions <= report.before.corruptions);
      if (counts === undefined || kinds.includes('l2-table-nowhere')) return;
      // Refcounts are not lowered either while their table lies on something else: it is to be moved first.
      const isInTheWay = report.before.findings.some(({ got }) => got.endsWith('data, refcount table'));
      const keepsLeaks = isInTheWay || kinds.some((one) => KEEPS_LEAKS.includes(one));
      if (keepsLeaks && report.before.leaks > 0) {
        assert.equal(report.leaks, report.before.leaks);
        assert.equal(counts.leaks, 0, 'QEMU keeps them too');
      } else {
        assert.equal(report.leaks, counts.leaks);
        assert.ok(report.corruptions <= counts.corruptions, 'QEMU leaves less');
      }
    });
  }

  it('changes refcounts and COPIED flags alone', async () => {
    const path = await images.damaged('snapshots', (image) => {
      for (const guest of [1, 2, 3]) image.setRefcount(image.dataOffset(guest) / image.clusterSize, 9);
      image.setRefcount(image.dataOffset(0) / image.clusterSize, 2);
      image.change(image.l2Entry(0), (entry) => entry & ~COPIED);
      image.change(image.l2Entry(80), (entry) => entry | COPIED);
    });
    const before = await DamagedImage.open(path);
    const report = await repairQcow2(path, { repair: 'leaks' });
    assert.equal(report.leaksFixed, 4);
    assert.equal(report.leaks, 0);
    assert.equal(report.corruptions, 1, 'the flag of the compressed cluster');
    const after = await readFile(path);
    const block = before.offset(before.refcountTableEntry(0));
    const changed = [...after.keys()].filter((at) => after[at] !== before.bytes[at]);
    const flag = before.l2Entry(0);
    assert.ok(changed.includes(flag), 'the cluster that is nobody else’s now');
    for (const at of changed) assert.ok(at === flag || (at >= block && at < block + 200), `${at}`);
  });

  it('leaves flags alone, but those of what it gives back, while other things are wrong', async () => {
    const path = await images.damaged('plain', (image) => {
      for (const guest of [1, 3]) image.change(image.l2Entry(guest), (entry) => entry & ~COPIED);
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 2);
      image.change(image.l2Entry(80), (entry) => entry | COPIED);
    });
    const report = await repairQcow2(path, { repair: 'leaks' });
    assert.equal(report.leaks, 0);
    const image = await DamagedImage.open(path);
    assert.notEqual(image.get(image.l2Entry(1)) & COPIED, 0n);
    assert.equal(image.get(image.l2Entry(3)) & COPIED, 0n);
  });

  it('gives nothing back while refcounts cannot be trusted', async () => {
    const path = await images.damaged('plain', (image) => {
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 3);
      image.set(image.refcountTableEntry(3), image.get(image.refcountTableEntry(0)));
    });
    const bytes = await readFile(path);
    const report = await repairQcow2(path, { repair: 'leaks' });
    assert.equal(report.leaks, 1);
    assert.ok((await readFile(path)).equals(bytes));
  });
});

describe('the header after a repair', () => {
  const INCOMPATIBLE = 72;
  const AUTOCLEAR = 88;
  const set = (image: DamagedImage, at: number, bit: bigint) => image.change(at, (flags) => flags | bit);

  for (const repair of ['leaks', 'all'] as const) {
    it(`no longer says dirty or corrupt when all is well (${repair})`, async () => {
      const path = await images.damaged('plain', (image) => set(image, INCOMPATIBLE, 3n));
      const bytes = await readFile(path);
      const report = await repairQcow2(path, { repair });
      assert.equal(report.corruptionsFixed + report.leaksFixed, 0);
      const image = await DamagedImage.open(path);
      assert.equal(image.get(INCOMPATIBLE), 0n);
      set(image, INCOMPATIBLE, 3n);
      assert.ok(image.bytes.equals(bytes), 'something else has changed');
    });
  }

  it('says corrupt as long as it is', async () => {
    const damage = (image: DamagedImage) => {
      set(image, INCOMPATIBLE, 2n);
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 0);
    };
    const path = await images.damaged('plain', damage);
    await repairQcow2(path, { repair: 'leaks' });
    assert.equal((await DamagedImage.open(path)).get(INCOMPATIBLE), 2n);
    await repairQcow2(path, { repair: 'all' });
    assert.equal((await DamagedImage.open(path)).get(INCOMPATIBLE), 0n);
  });

  it('has lost the autoclear features that nobody knows, if anything was written', async () => {
    const path = await images.damaged('bitmaps', (image) => set(image, AUTOCLEAR, 1n << 63n));
    await repairQcow2(path, { repair: 'all' });
    assert.equal((await DamagedImage.open(path)).get(AUTOCLEAR), (1n << 63n) | 1n);
    const damage = (image: DamagedImage) => {
      set(image, AUTOCLEAR, 1n << 63n);
      image.setRefcount(image.dataOffset(1) / image.clusterSize, 2);
    };
    const damaged = await images.damaged('bitmaps', damage);
    const content = await readContent(await images.path('bitmaps'));
    await repairQcow2(damaged, { repair: 'leaks' });
    assert.equal((await DamagedImage.open(damaged)).get(AUTOCLEAR), 1n);
    assert.equal((await qemuCounts(damaged))?.leaks, 0, 'the bitmaps are there still');
    assert.ok((await readContent(damaged)).equals(content));
  });
});
