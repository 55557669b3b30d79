import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import type { CheckGeometry } from './check-geometry.ts';
import { checkQcow2 } from './check-qcow2.ts';
import { L2_PROBLEMS, l2Problems, ownedBy } from './l2-entry.ts';

const plain: CheckGeometry = {
  version: 3,
  clusterBits: 16,
  clusterSize: 65_536,
  entryBytes: 8,
  tableEntries: 8192,
  subclusters: false,
  dataFile: false,
  backed: false,
  refcountBits: 16,
  blockEntries: 32_768,
  fileEnd: 2 ** 40,
  clusters: 2 ** 24,
};
const subclusters = { ...plain, subclusters: true, entryBytes: 16, tableEntries: 4096 };

/** The bits of an entry, from `first` to `last`, one at a time. */
function bits(first: number, last: number): [high: number, low: number, bit: number][] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const bit = first + index;
    return bit < 32 ? [0, (1 << bit) >>> 0, bit] : [(1 << (bit - 32)) >>> 0, 0, bit];
  });
}

describe('trap 13: reserved bits', () => {
  it('of a standard L2 entry are 1 to 8 and 56 to 61', () => {
    for (const [high, low, bit] of bits(0, 63)) {
      const isReserved = (bit >= 1 && bit <= 8) || (bit >= 56 && bit <= 61);
      const problems = l2Problems(high, low, 0, 0, plain);
      assert.equal((problems & L2_PROBLEMS['l2-reserved-bits']) !== 0, isReserved, `bit ${bit}`);
      const isUnaligned = bit >= 9 && bit < 16;
      assert.equal((problems & L2_PROBLEMS['cluster-unaligned']) !== 0, isUnaligned, `bit ${bit}`);
    }
  });

  it('of a compressed L2 entry there are none', () => {
    for (const [high, low, bit] of bits(0, 61)) {
      assert.equal(l2Problems((high | 0x4000_0000) >>> 0, low, 0, 0, plain), 0, `bit ${bit}`);
    }
  });

  it('of an L1 entry are 0 to 8 and 56 to 62', async () => {
    await using folder = await temporaryFolder();
    const images = new SoundImages(folder);
    for (let bit = 0; bit < 64; bit += 1) {
      const path = await images.damaged('plain', (image) => {
        image.change(image.l1Entry(0), (entry) => entry | (1n << BigInt(bit)));
      });
      const { findings } = await checkQcow2(path);
      const isReserved = bit <= 8 || (bit >= 56 && bit <= 62);
      assert.equal(
        findings.some(({ kind }) => kind === 'l1-reserved-bits'),
        isReserved,
        `bit ${bit}`,
      );
    }
  });
});

describe('trap 15: subclusters', () => {
  it('that are allocated and zero contradict each other', () => {
    assert.equal(l2Problems(0, 0x50000, 0b0110, 0b1001, subclusters), 0);
    assert.equal(l2Problems(0, 0x50000, 0b0110, 0b0010, subclusters), L2_PROBLEMS['subclusters-contradict']);
  });

  it('need a cluster to be allocated in, and none to be zero', () => {
    assert.equal(l2Problems(0, 0, 0b0110, 0, subclusters), 0);
    assert.equal(l2Problems(0, 0, 0b0110, 0b0001, subclusters), L2_PROBLEMS['subclusters-nowhere']);
  });

  it('are not for compressed clusters', () => {
    assert.equal(l2Problems(0x4000_0000, 0x50000, 0, 0, subclusters), 0);
    assert.equal(l2Problems(0x4000_0000, 0x50000, 1, 0, subclusters), L2_PROBLEMS['compressed-subclusters']);
  });
});

describe('what an entry owns', () => {
  it('is a cluster at offset 0 in a data file alone, where COPIED says so', () => {
    assert.equal(ownedBy(0x8000_0000, 0, plain), 'nothing');
    const dataFile = { ...plain, dataFile: true };
    assert.equal(ownedBy(0x8000_0000, 0, dataFile), 'cluster');
    assert.equal(ownedBy(0x8000_0000, 1, dataFile), 'nothing');
    assert.equal(ownedBy(0, 0, dataFile), 'nothing');
  });
});
