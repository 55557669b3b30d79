import { materialArea } from './key-material.ts';
import { type LuksOptions, luksSettings } from './luks-settings.ts';

/** The bytes that the LUKS header of a new image takes, with the key material of all slots. */
export function luksAreaLength(options: LuksOptions): number {
  // Counting how fast this machine is would take its time, and makes no difference.
  const { spec } = luksSettings({ ...options, iterations: { keySlot: 1, masterKey: 1 } });
  return materialArea(spec.keyBytes);
}
