import { type Disk, openRawDisk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { denyBacking, openQcow2, readHeader } from '../qcow2/index.ts';

/** A disk image that is to be imported, under QEMU's lock for reading. */
export interface ImportSource {
  readonly disk: Disk;
  /** Virtual size in bytes, a multiple of 512. */
  readonly size: number;
  /** What it has and a version has not, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Opens a disk image that came from outside: nothing that it names is opened.
 * @throws CalveError `not-found`, `in-use`, `invalid`; `unsupported` by the name of what cannot be kept
 */
export async function openImportSource(path: string, format?: 'raw' | 'qcow2'): Promise<ImportSource> {
  if ((format ?? (await probeFormat(path))) === 'raw') {
    const disk = await openRawDisk(path);
    return { disk, size: Math.ceil(disk.size / SECTOR) * SECTOR, warnings: [] };
  }
  const snapshots = await checkKept(path);
  const disk = await openQcow2(path, { backing: denyBacking });
  const warnings =
    snapshots === 0
      ? []
      : [`${path} has ${snapshots} internal snapshots; only its current state was imported`];
  return { disk, size: disk.size, warnings: [...disk.warnings, ...warnings] };
}

/** A disk ends with a whole sector: QEMU reads no other. */
const SECTOR = 512;
const MAGIC = 'QFI\xfb';

async function probeFormat(path: string): Promise<'raw' | 'qcow2'> {
  await using file = await openFile(path);
  const magic = Buffer.alloc(MAGIC.length);
  await file.read(magic, 0);
  return magic.toString('latin1') === MAGIC ? 'qcow2' : 'raw';
}

/** Refuses by name what a version would lose; the driver refuses what it does not know. Returns the snapshots. */
async function checkKept(path: string): Promise<number> {
  await using file = await openFile(path);
  const header = await readHeader(file);
  if (header.backingFile !== undefined) {
    throw new CalveError(
      'unsupported',
      `${path} has a backing file, ${JSON.stringify(header.backingFile)}, which is not followed`,
      {
        hint: `qemu-img convert -O qcow2 ${path} FLAT.qcow2`,
        data: { path, backingFile: header.backingFile },
      },
    );
  }
  if (header.cryptMethod !== 'none') {
    throw new CalveError('unsupported', `${path} is encrypted (${header.cryptMethod})`, {
      hint: `qemu-img convert -O qcow2 ${path} PLAIN.qcow2`,
      data: { path, cryptMethod: header.cryptMethod },
    });
  }
  if (header.incompatible.has('external data file')) {
    throw new CalveError('unsupported', `${path} keeps its data in a data file of its own`, {
      hint: `qemu-img convert -O qcow2 ${path} WHOLE.qcow2`,
      data: { path, feature: 'external data file' },
    });
  }
  return header.snapshotCount;
}
