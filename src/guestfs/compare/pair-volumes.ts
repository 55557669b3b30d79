import type { GuestVolume } from '../guest-volume.ts';

/** A volume as it is on both disks; undefined where one has none that belongs to the other's. */
export interface VolumePair {
  readonly before: GuestVolume | undefined;
  readonly after: GuestVolume | undefined;
}

/** A volume that both disks have. */
export type WholePair = { readonly [Side in keyof VolumePair]-?: NonNullable<VolumePair[Side]> };

/**
 * Which volumes of two disks belong together: those of one UUID, wherever they are, then those of one number or name. In the order of the
 * second disk, then what only the first one has.
 */
export function pairVolumes(before: readonly GuestVolume[], after: readonly GuestVolume[]): VolumePair[] {
  const partners = new Map<GuestVolume, GuestVolume>();
  const left = new Set(before);
  const pair = (keyOf: (volume: GuestVolume) => string | null): void => {
    for (const now of after) {
      if (partners.has(now)) continue;
      const old = only(left, keyOf, keyOf(now));
      if (old === undefined || only(new Set(after), keyOf, keyOf(now)) !== now) continue;
      partners.set(now, old);
      left.delete(old);
    }
  };
  // Of clones, which have one UUID, those in one place belong together.
  pair(({ uuid, name }) => (uuid === null ? null : `${uuid} ${name}`));
  pair(({ uuid }) => uuid);
  pair(({ name }) => name);
  return [
    ...after.map((now) => ({ before: partners.get(now), after: now })),
    ...[...left].map((old) => ({ before: old, after: undefined })),
  ];
}

/** The only one of a key; undefined when there are several, or none. */
function only(
  volumes: ReadonlySet<GuestVolume>,
  keyOf: (volume: GuestVolume) => string | null,
  key: string | null,
): GuestVolume | undefined {
  const found = [...volumes].filter((volume) => key !== null && keyOf(volume) === key);
  return found.length === 1 ? found[0] : undefined;
}
