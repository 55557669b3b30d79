/** A table entry as the specification counts its bits: `0x8000000000050000`. */
export function hexEntry(high: number, low: number): string {
  return `0x${high.toString(16).padStart(8, '0')}${low.toString(16).padStart(8, '0')}`;
}
