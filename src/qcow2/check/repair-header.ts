import type { ImageFile } from '../image-file.ts';
import { patchHeader } from '../patch-header.ts';
import type { Qcow2Header } from '../qcow2-header.ts';

/** Section "Header", autoclear_features: who writes to an image first clears the features that it does not know. */
export async function dropUnknownFeatures(file: ImageFile, header: Qcow2Header): Promise<void> {
  const known = [...header.autoclear].filter((feature) => typeof feature === 'string');
  if (known.length === header.autoclear.size) return;
  await patchHeader(file, { autoclear: new Set(known) });
  await file.barrier();
}

/** Declares the bitmaps outdated (trap 32): what they took up are leaks from then on. */
export async function dropBitmaps(file: ImageFile, header: Qcow2Header): Promise<void> {
  const others = [...header.autoclear].filter((feature) => feature !== 'bitmaps');
  await patchHeader(file, { autoclear: new Set(others) });
  await file.barrier();
}

/** Clears the bits that say that the image needs a repair (trap 10), once everything before is durable. */
export async function clearDamageBits(file: ImageFile, header: Qcow2Header): Promise<void> {
  const { incompatible } = header;
  if (!incompatible.has('dirty') && !incompatible.has('corrupt')) return;
  await file.barrier();
  const sound = [...incompatible].filter((feature) => feature !== 'dirty' && feature !== 'corrupt');
  await patchHeader(file, { incompatible: new Set(sound) });
  await file.barrier();
}
