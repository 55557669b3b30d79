import { DamagedImage } from './damaged-image.ts';

/** Takes the extra data out of snapshot entries, in place, as QEMU before 1.1 wrote them. */
export async function stripExtraData(path: string): Promise<void> {
  const image = await DamagedImage.open(path);
  const { bytes, snapshotsOffset } = image;
  const entries: Buffer[] = [];
  for (let at = snapshotsOffset, left = bytes.readUInt32BE(60); left > 0; left -= 1) {
    const extra = bytes.readUInt32BE(at + 36);
    const names = bytes.readUInt16BE(at + 12) + bytes.readUInt16BE(at + 14);
    const entry = Buffer.alloc(Math.ceil((40 + names) / 8) * 8);
    bytes.copy(entry, 0, at, at + 36);
    bytes.copy(entry, 40, at + 40 + extra, at + 40 + extra + names);
    entries.push(entry);
    at += Math.ceil((40 + extra + names) / 8) * 8;
  }
  bytes.fill(0, snapshotsOffset);
  bytes.set(Buffer.concat(entries), snapshotsOffset);
  await image.save();
}
