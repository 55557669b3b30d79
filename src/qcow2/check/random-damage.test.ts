import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { ImageKindName } from '../../../test/support/image-kinds.ts';
import { type QemuCounts, qemuCounts } from '../../../test/support/qemu-check.ts';
import { seededRandom } from '../../../test/support/random.ts';
import { damageAtRandom } from '../../../test/support/random-damage.ts';
import { SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { CalveError } from '../../errors/index.ts';
import { checkQcow2 } from './check-qcow2.ts';
import type { CheckReport } from './check-report.ts';
import type { FindingKind } from './finding.ts';
import { repairQcow2 } from './repair-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);
const ROUNDS = Number(process.env['ROUNDS'] ?? 4);
const KINDS: readonly ImageKindName[] = [
  'version 2',
  'snapshots',
  'bitmaps',
  'subclusters',
  'clusters of 512 bytes',
  'refcounts of 1 bit',
  'refcounts of 4 bits',
  'refcounts of 64 bits',
];

/** Findings with which QEMU reads entries of what is no table: of the header, or from the middle of a cluster. */
const MISREAD_BY_QEMU: readonly FindingKind[] = [
  'l2-table-nowhere',
  'l1-reserved-bits',
  'l2-table-unaligned',
];

function assertSameCounts(report: CheckReport, counts: QemuCounts | undefined, what: string): void {
  const kinds = new Set(report.findings.map(({ kind }) => kind));
  if (counts === undefined) {
    // QEMU gave up: calve has something to say about that.
    assert.ok(report.corruptions + report.checkErrors > 0, what);
  } else if (!MISREAD_BY_QEMU.some((kind) => kinds.has(kind))) {
    const { corruptions, leaks, checkErrors, allocatedClusters, fragmentedClusters } = report;
    const ours = { corruptions, leaks, checkErrors, allocatedClusters, fragmentedClusters };
    assert.deepEqual({ ...counts, ...ours }, counts, what);
  } else {
    assert.ok(report.corruptions > 0 && counts.corruptions > 0, what);
  }
}

/** A report, or the error for an image whose header says what cannot be. */
async function checked(path: string): Promise<CheckReport | CalveError> {
  try {
    return await checkQcow2(path, { maxFindings: 100_000 });
  } catch (error) {
    if (CalveError.is(error)) return error;
    throw error;
  }
}

describe('images damaged at random', () => {
  for (const kind of KINDS) {
    it(`${kind}: are judged as QEMU judges them, and no worse after a repair`, async () => {
      const random = seededRandom(kind.length * 7919 + Number(process.env['SEED'] ?? 1));
      for (let round = 0; round < ROUNDS; round += 1) {
        const path = await images.damaged(kind, (image) => damageAtRandom(image, random));
        const what = `round ${round}`;
        const before = await checked(path);
        if (CalveError.is(before)) {
          // A header that leads nowhere is no image to calve, and an image with corruptions to QEMU.
          assert.notEqual((await qemuCounts(path))?.corruptions, 0, `${what}: ${before.message}`);
          continue;
        }
        assertSameCounts(before, await qemuCounts(path), what);
        const repair = round % 3 === 0 ? 'leaks' : 'all';
        const report = await repairQcow2(path, { repair, maxFindings: 100_000 });
        assert.ok(report.corruptions <= report.before.corruptions, `${what}: worse for repairing ${repair}`);
        assert.ok(report.checkErrors <= report.before.checkErrors, what);
        const again = await checkQcow2(path, { maxFindings: 100_000 });
        const { before: _, corruptionsFixed, leaksFixed, ...rest } = report;
        assert.deepEqual(
          { ...again, corruptionsFixed, leaksFixed },
          { ...rest, corruptionsFixed, leaksFixed },
        );
        assertSameCounts(again, await qemuCounts(path), `${what}: after repairing ${repair}`);
      }
    });
  }
});
