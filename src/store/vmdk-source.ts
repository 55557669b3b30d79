import { lstat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CalveError, systemError } from '../errors/index.ts';
import { type HostFile, lockImage, openFile } from '../host/index.ts';
import type { ForeignImage } from './foreign-image.ts';
import { type Staging, writeStaged } from './staging.ts';
import { encodeDescriptor, parseDescriptor, type VmdkExtent } from './vmdk-descriptor.ts';

/*
 * What a VMDK can name, and QEMU would open: extents, in a descriptor that is a file of its own, or lies in a sparse extent
 * whose capacity is 0; and a parent. CVE-2022-47951 and CVE-2024-32498 read host files through the first.
 */

/** "Virtual Disk Format 5.0", hosted sparse extent header: the fields that decide, in bytes and little-endian. */
const CAPACITY_OFFSET = 12;
const DESCRIPTOR_OFFSET = 28;
const DESCRIPTOR_SECTORS = 36;
const HEADER_BYTES = 512;
const SECTOR = 512;
/** QEMU looks for a parent in this many bytes from the first or the second sector on, wherever the descriptor lies. */
const QEMU_LOOKS_AT = 21 * SECTOR;
/** No descriptor is longer, bytes. */
const LONGEST_DESCRIPTOR = 1 << 20;
/** QEMU cuts off the names of extents after this many bytes. */
const LONGEST_NAME = 511;
/** The kinds of which one file is the whole disk. */
const WHOLE = ['monolithicSparse', 'streamOptimized'];

/**
 * Opens a VMDK for qemu-img. One that names other files is refused; with `chain`, a descriptor's extents may be files in its
 * own folder: then qemu-img gets a descriptor that is written here, so that it opens what was looked at and nothing else.
 * @throws CalveError `denied`, `unsupported`, `invalid`, `not-found`, `in-use`
 */
export async function openVmdk(path: string, staging: Staging, chain: boolean): Promise<ForeignImage> {
  await using opened = new AsyncDisposableStack();
  const file = await openLocked(path, opened);
  let source = file;
  if ((await readText(file, 0, HEADER_BYTES)).startsWith('# Disk DescriptorFile')) {
    if (!chain) throw namesOthers(path, `calve import --chain ${path}, if you trust what it names`);
    const text = Buffer.from(await readText(file, 0, LONGEST_DESCRIPTOR), 'latin1').toString();
    const descriptor = parseDescriptor(text, path);
    const extents: VmdkExtent[] = [];
    for (const extent of descriptor.extents) extents.push(await locate(extent, path, opened));
    const name = staging.path('descriptor.vmdk');
    await writeStaged(name, encodeDescriptor({ ...descriptor, extents }));
    source = opened.use(await openFile(name));
  } else await checkSparse(file, true);
  const held = opened.move();
  return { file: source, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function openLocked(path: string, opened: AsyncDisposableStack): Promise<HostFile> {
  const file = opened.use(await openFile(path));
  lockImage(file, 'read');
  return file;
}

/** An extent as the file that it is: in the descriptor's folder, no link, and naming nothing itself. */
async function locate(extent: VmdkExtent, path: string, opened: AsyncDisposableStack): Promise<VmdkExtent> {
  if (extent.file === undefined) return extent;
  const place = join(resolve(dirname(path)), extent.file);
  const isBare = extent.file !== '' && !/[/\\]/.test(extent.file) && !/^\.\.?$/.test(extent.file);
  // A quote would end the name in the descriptor that is written.
  if (!isBare || /["\n\r]/.test(place) || Buffer.byteLength(place) > LONGEST_NAME) {
    throw new CalveError(
      'denied',
      `${path}: expected an extent in its own folder, got ${JSON.stringify(extent.file)}`,
      { data: { path, extent: extent.file } },
    );
  }
  const stat = await lstat(place).catch((error: unknown) => {
    throw systemError(`${path}: cannot look at its extent`, error);
  });
  if (!stat.isFile()) throw new CalveError('denied', `${path}: its extent ${place} is no regular file`);
  const file = await openLocked(place, opened);
  if (!/FLAT|VMFS$/.test(extent.type)) await checkSparse(file, false);
  return { ...extent, file: place };
}

/** An extent of a type of which QEMU reads a header. */
async function checkSparse(file: HostFile, isWhole: boolean): Promise<void> {
  const header = Buffer.alloc(HEADER_BYTES);
  await file.read(header, 0);
  const magic = header.toString('latin1', 0, 4);
  let texts = await readText(file, 0, QEMU_LOOKS_AT);
  if (magic === 'KDMV') {
    if (header.readBigUInt64LE(CAPACITY_OFFSET) === 0n) throw namesOthers(file.path);
    const offset = Number(header.readBigUInt64LE(DESCRIPTOR_OFFSET)) * SECTOR;
    const length = Number(header.readBigUInt64LE(DESCRIPTOR_SECTORS)) * SECTOR;
    if (length > LONGEST_DESCRIPTOR || offset > file.stat().size) {
      throw new CalveError(
        'invalid',
        `${file.path}: expected a descriptor of at most ${LONGEST_DESCRIPTOR} bytes`,
      );
    }
    texts += await readText(file, offset, length);
  } else if (magic !== 'COWD') {
    throw new CalveError('invalid', `${file.path}: expected a VMDK, got neither KDMV nor COWD at its start`);
  }
  if (/parentFileNameHint/i.test(texts)) {
    throw new CalveError('unsupported', `${file.path}: stands on a parent, which is not followed`, {
      hint: 'consolidate its snapshots first',
    });
  }
  const kind = /createType\s*=\s*"([^"]*)"/i.exec(texts)?.[1];
  if (isWhole && kind !== undefined && !WHOLE.includes(kind)) throw namesOthers(file.path);
}

async function readText(file: HostFile, offset: number, length: number): Promise<string> {
  const bytes = Buffer.alloc(Math.max(0, Math.min(length, file.stat().size - offset)));
  await file.read(bytes, offset);
  return bytes.toString('latin1');
}

function namesOthers(path: string, hint?: string): CalveError {
  return new CalveError('denied', `${path}: its data lies in other files, which are not opened`, {
    ...(hint === undefined ? {} : { hint }),
    data: { path },
  });
}
