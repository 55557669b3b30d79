import type { CheckGeometry } from './check-geometry.ts';
import type { FindingPlace } from './finding.ts';
import type { FindingLog } from './finding-log.ts';
import type { Structure } from './structure.ts';
import { type TablePlace, tableSegments } from './table-segments.ts';

/** Clusters that belong to a structure. */
export interface StructureRange {
  readonly structure: Structure;
  readonly firstCluster: number;
  readonly lastCluster: number;
  /** How many structures of this kind claim them. */
  readonly times: number;
}

/** A structure that lies in one piece. */
export interface PlacedStructure extends TablePlace, FindingPlace {
  readonly structure: Structure;
}

/** What QEMU counts the length of a file in, rounded up. */
const SECTOR = 512;

/** Whether a range ends a cluster or more behind the file; by less, it may: the last cluster may be cut short. */
export function isPastEnd(offset: number, length: number, { fileEnd, clusterSize }: CheckGeometry): boolean {
  return offset + length - Math.ceil(fileEnd / SECTOR) * SECTOR >= clusterSize;
}

/**
 * The clusters of structures, kind by kind, each cluster once for a kind however many claim it. A structure that the
 * file does not have is told, and left out.
 */
export function structureRanges(
  placed: readonly PlacedStructure[],
  geometry: CheckGeometry,
  log: FindingLog,
): StructureRange[] {
  const { clusterSize, fileEnd } = geometry;
  const clusters = new Map<Structure, TablePlace[]>();
  for (const { offset, length, ...place } of placed) {
    if (length === 0) continue;
    if (isPastEnd(offset, length, geometry)) {
      const kind = place.structure === 'refcount table' ? 'refcount-table-past-end' : 'past-end';
      const expected = `${length} bytes within ${fileEnd}`;
      log.add(kind, 1, () => ({
        ...place,
        hostOffset: offset,
        expected,
        got: `${length} bytes at ${offset}`,
      }));
      continue;
    }
    const first = Math.floor(offset / clusterSize);
    const end = Math.floor((offset + length - 1) / clusterSize) + 1;
    const alike = clusters.get(place.structure) ?? [];
    alike.push({ offset: first, length: end - first });
    clusters.set(place.structure, alike);
  }
  return [...clusters].flatMap(([structure, ranges]) =>
    tableSegments(ranges).map(({ offset, length, times }) => ({
      structure,
      firstCluster: offset,
      lastCluster: offset + length - 1,
      times,
    })),
  );
}
