import type { DiskRange } from '../file-tree.ts';
import { corrupt } from './corrupt.ts';
import type { LogicalVolume } from './logical-volume.ts';
import type { ConfigSection, ConfigValue } from './parse-config.ts';

const SECTOR = 512;
/** `vgcreate` takes no more (lvm(8), "Valid names"). */
const NAME = /^[A-Za-z0-9_+][A-Za-z0-9_.+-]{0,126}$/;
const MOST_VOLUMES = 1024;
const MOST_SEGMENTS = 4096;

/** A volume group, as the metadata of one of its physical volumes has it. */
export interface VolumeGroup {
  readonly name: string;
  readonly section: ConfigSection;
}

/** The volume group of a text. @throws CalveError `corrupt` */
export function volumeGroup(metadata: ConfigSection): VolumeGroup {
  const found = Object.entries(metadata).filter((entry): entry is [string, ConfigSection] =>
    isSection(entry[1]),
  );
  const [[name, section] = ['', undefined], ...more] = found;
  if (section === undefined || more.length > 0 || !NAME.test(name)) {
    throw corrupt(
      'metadata',
      `expected one volume group, got ${found.map(([each]) => JSON.stringify(each)).join(', ')}`,
    );
  }
  return { name, section };
}

/**
 * The visible logical volumes of a group.
 *
 * @param places where on the whole disk each of its physical volumes lies, by its UUID's letters
 * @throws CalveError `corrupt`
 */
export function logicalVolumes(group: VolumeGroup, places: ReadonlyMap<string, DiskRange>): LogicalVolume[] {
  const { name, section } = group;
  const extentSize = count(section, 'extent_size') * SECTOR;
  const physical = new Map<string, Physical>();
  for (const [key, each] of Object.entries(sectionOf(section, 'physical_volumes'))) {
    if (!isSection(each)) throw corrupt('metadata', `physical volume ${key}`);
    const place = places.get(textOf(each, 'id').replaceAll('-', ''));
    physical.set(key, { place, start: count(each, 'pe_start') * SECTOR });
  }
  const volumes = section['logical_volumes'] === undefined ? {} : sectionOf(section, 'logical_volumes');
  const entries = Object.entries(volumes);
  if (entries.length > MOST_VOLUMES) throw corrupt('metadata', `${entries.length} logical volumes`);
  return entries.flatMap(([key, each]) => {
    if (!isSection(each) || !NAME.test(key))
      throw corrupt('metadata', `logical volume ${JSON.stringify(key)}`);
    const status = each['status'];
    if (!Array.isArray(status) || !status.includes('VISIBLE')) return [];
    return [logicalVolume(`${name}/${key}`, each, { extentSize, physical })];
  });
}

interface Physical {
  /** Undefined: not on this disk. */
  readonly place: DiskRange | undefined;
  /** Bytes from where it begins to its first extent. */
  readonly start: number;
}

interface Extents {
  /** Bytes. */
  readonly extentSize: number;
  readonly physical: ReadonlyMap<string, Physical>;
}

function logicalVolume(name: string, section: ConfigSection, extents: Extents): LogicalVolume {
  const segments = count(section, 'segment_count');
  if (segments > MOST_SEGMENTS) throw corrupt(`logical volume ${name}`, `${segments} segments`);
  const ranges: DiskRange[] = [];
  let problem: string | undefined;
  let size = 0;
  for (let number = 1; number <= segments; number += 1) {
    const segment = sectionOf(section, `segment${number}`);
    const length = count(segment, 'extent_count') * extents.extentSize;
    if (count(segment, 'start_extent') * extents.extentSize !== size) {
      throw corrupt(
        `logical volume ${name}`,
        `segment ${number} does not begin where the one before it ends`,
      );
    }
    size = exact(size + length, name);
    const range = rangeOf(name, segment, length, extents);
    if (typeof range === 'string') problem ??= range;
    else append(ranges, range);
  }
  return { name, size, ranges: problem ?? ranges };
}

/** Where a segment lies, or in words why that cannot be told. */
function rangeOf(
  name: string,
  segment: ConfigSection,
  length: number,
  { extentSize, physical }: Extents,
): DiskRange | string {
  const type = textOf(segment, 'type');
  // What is called striped is what goes on one stripe, too.
  if (type !== 'striped') return `it is of type ${JSON.stringify(type)}, and linear ones are read`;
  const stripes = segment['stripes'];
  if (count(segment, 'stripe_count') !== 1) return 'it is striped, and linear ones are read';
  const [key, extent] = Array.isArray(stripes) ? (stripes as ConfigValue[]) : [];
  const on = typeof key === 'string' ? physical.get(key) : undefined;
  if (on === undefined || typeof extent !== 'number' || !Number.isSafeInteger(extent) || extent < 0) {
    throw corrupt(`logical volume ${name}`, 'a segment that lies nowhere');
  }
  if (on.place === undefined) return 'a part of it lies on another disk';
  const offset = on.start + extent * extentSize;
  if (exact(offset + length, name) > on.place.length) {
    throw corrupt(`logical volume ${name}`, 'a segment that passes the end of its physical volume');
  }
  return { offset: on.place.offset + offset, length };
}

/** Neighbours are one range. */
function append(ranges: DiskRange[], { offset, length }: DiskRange): void {
  const last = ranges.at(-1);
  if (last !== undefined && last.offset + last.length === offset) {
    ranges[ranges.length - 1] = { offset: last.offset, length: last.length + length };
  } else if (length > 0) ranges.push({ offset, length });
}

function isSection(value: ConfigValue | undefined): value is ConfigSection {
  return typeof value === 'object' && !Array.isArray(value);
}

function sectionOf(section: ConfigSection, name: string): ConfigSection {
  const value = section[name];
  if (!isSection(value)) throw corrupt('metadata', `expected a section ${name}`);
  return value;
}

function textOf(section: ConfigSection, name: string): string {
  const value = section[name];
  if (typeof value !== 'string') throw corrupt('metadata', `expected a text as ${name}`);
  return value;
}

function count(section: ConfigSection, name: string): number {
  const value = section[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw corrupt('metadata', `expected a number as ${name}`);
  }
  return value;
}

function exact(value: number, name: string): number {
  if (Number.isSafeInteger(value)) return value;
  throw corrupt(`logical volume ${name}`, 'a size beyond 2^53 bytes');
}
