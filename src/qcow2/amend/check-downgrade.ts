import { CalveError } from '../../errors/index.ts';
import { readTables, tableIn } from '../check/read-tables.ts';
import type { Survey } from '../check/survey.ts';
import type { SectorCipher } from '../encryption/index.ts';
import { openEncryption } from '../encryption/index.ts';
import { readSnapshotTable } from '../snapshots/read-snapshot-table.ts';
import { clusterKind } from '../table-entry.ts';
import type { AmendImageOptions } from './amend-options.ts';
import { amendedHeader } from './amended-header.ts';

const MOST_STATE_V2 = 0xffff_ffff;

/**
 * Looks for what version 2 lacks where the header does not tell: in snapshots and in L2 tables. Changes nothing.
 * @returns the cipher, where zeros must be written as data into an encrypted image
 * @throws CalveError `unsupported`, with `data.features`; `denied` for an encrypted image without its passphrase
 */
export async function checkDowngrade(
  survey: Survey,
  options: AmendImageOptions,
): Promise<SectorCipher | undefined> {
  const { file, header } = survey;
  await refuseSnapshots(survey);
  const found = await lookAtEntries(survey, options.signal);
  if (found.compressed && header.compressionType !== 'zlib') {
    throw lacking(survey, [`clusters compressed with ${header.compressionType}`], ['compression type']);
  }
  const backed = amendedHeader(header, options).backingFile !== undefined;
  if (!found.zerosInPlace && !(found.zeros && backed)) return undefined;
  return openEncryption(file, header, options.encryption ?? {});
}

/** As QEMU: going to a snapshot of another size is what version 2 cannot do. */
async function refuseSnapshots(survey: Survey): Promise<void> {
  const { file, header } = survey;
  const entries = await readSnapshotTable(file, header);
  const otherSize = entries.some(({ diskSize = header.size }) => !sameSize(diskSize, header.size));
  const largeState = entries.some(({ vmStateSize }) => vmStateSize > MOST_STATE_V2);
  const names: string[] = [];
  if (otherSize) names.push('a snapshot of a disk of another size');
  if (largeState) names.push('a snapshot with a VM state of 4 GiB or more');
  if (names.length > 0) throw lacking(survey, names, ['snapshots']);
}

/** A size that ends inside a sector counts as the whole sectors before it. */
function sameSize(diskSize: number, size: number): boolean {
  return Math.floor(diskSize / 512) === Math.floor(size / 512);
}

interface FoundEntries {
  compressed: boolean;
  zeros: boolean;
  zerosInPlace: boolean;
}

async function lookAtEntries(survey: Survey, signal: AbortSignal | undefined): Promise<FoundEntries> {
  const { file, geometry, l2 } = survey;
  const { clusterSize, entryBytes } = geometry;
  const found = { compressed: false, zeros: false, zerosInPlace: false };
  for await (const run of readTables(file, l2.followedOffsets, clusterSize)) {
    signal?.throwIfAborted();
    for (let place = run.first; place < run.first + run.count; place += 1) {
      const view = tableIn(run, l2.followedOffsets[place] ?? 0, clusterSize);
      for (let at = 0; at < clusterSize; at += entryBytes) {
        const kind = clusterKind(view.getUint32(at), view.getUint32(at + 4));
        found.compressed ||= kind === 'compressed';
        found.zeros ||= kind === 'zero';
        found.zerosInPlace ||= kind === 'zero-allocated';
      }
    }
  }
  return found;
}

function lacking({ file }: Survey, names: readonly string[], features: readonly string[]): CalveError {
  return new CalveError(
    'unsupported',
    `${file.path}: expected an image without what version 2 lacks, got ${names.join(', ')}`,
    { data: { path: file.path, features } },
  );
}
