/** Section "Bitmap table": what the bits of a cluster that lies nowhere are. */
export const ALL_ZEROS = 0;
export const ALL_ONES = 1;

/** Bits 9 to 55: where the cluster lies, in bytes; 0 when it lies nowhere. */
export function bitmapClusterOffset(high: number, low: number): number {
  return (high & 0x00ff_ffff) * 2 ** 32 + ((low & 0xffff_fe00) >>> 0);
}

/**
 * Whether an entry breaks the format's rules: reserved bits that are set, among them bit 0 of a cluster that lies
 * somewhere, or a cluster that begins inside of one.
 */
export function isBadBitmapTableEntry(high: number, low: number, clusterSize: number): boolean {
  const nowhere = bitmapClusterOffset(high, low) === 0;
  const reserved = (high & 0xff00_0000) !== 0 || (low & (nowhere ? 0x1fe : 0x1ff)) !== 0;
  return reserved || (low & (clusterSize - 512)) !== 0;
}
