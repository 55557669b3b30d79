import { COPIED, type DamagedImage } from './damaged-image.ts';

const OFFSET = 0x00ff_ffff_ffff_fe00n;

/** The places of all 64-bit words that say where something lies, or how often: of tables, of refcounts, of snapshots. */
function places(image: DamagedImage, random: () => number): number {
  const below = (end: number) => Math.floor(random() * end);
  const { clusterSize } = image;
  switch (below(10)) {
    case 0:
      return image.refcountTableEntry(below(6));
    case 1:
    case 2: {
      const block = Number(image.get(image.refcountTableEntry(0)) & OFFSET) % image.bytes.length;
      return Math.min(block + below(64), image.bytes.length - 8);
    }
    case 3:
      if (image.snapshotsOffset > 0) return image.snapshotsOffset + below(100);
      return image.l1Entry(0);
    case 4:
      return image.l1Entry(below(image.bytes.readUInt32BE(36)));
    default: {
      const entry = image.l2Entry(0) + 8 * below(Math.min(100, clusterSize / 8));
      return Math.min(entry, image.bytes.length - 8);
    }
  }
}

/** Damages one to three words of an image, or cuts its end off: bits, bytes, other words, offsets that point anywhere. */
export function damageAtRandom(image: DamagedImage, random: () => number): void {
  const below = (end: number) => Math.floor(random() * end);
  const times = 1 + below(3);
  for (let time = 0; time < times; time += 1) {
    const at = places(image, random);
    switch (below(5)) {
      case 0:
        image.change(at, (word) => word ^ (1n << BigInt(below(64))));
        break;
      case 1:
        image.bytes[at + below(8)] = below(256);
        break;
      case 2:
        image.set(at, image.get(places(image, random)));
        break;
      case 3:
        image.set(at, 0n);
        break;
      default:
        image.set(at, BigInt(below(image.clusters + 2) * image.clusterSize) | (below(2) === 0 ? COPIED : 0n));
    }
  }
  if (below(8) === 0) image.resize(image.bytes.length - below(3 * image.clusterSize));
}
