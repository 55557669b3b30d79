import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { CalveError } from '../../src/errors/index.ts';
import { encryptionExtension, type LuksSource, type NewLuks } from '../../src/qcow2/encryption/index.ts';
import { decodeHeader, encodeHeader } from '../../src/qcow2/header.ts';
import type { Qcow2Header } from '../../src/qcow2/qcow2-header.ts';
import { entryOffset } from '../../src/qcow2/table-entry.ts';
import { type Ran, run, succeed } from './programs.ts';

/** `encrypt.…` options of qemu-img, without that prefix. */
export type EncryptOptions = Readonly<Record<string, string>>;

/** An encrypted qcow2 image, and the one passphrase under which QEMU is asked to use it. */
export interface EncryptedImage {
  readonly path: string;
  readonly secret: string;
}

/**
 * Makes an image of 1 MiB with QEMU, with as few PBKDF2 iterations as it makes. With LUKS it takes seconds to measure how
 * many that is.
 */
export async function createWithQemu(image: EncryptedImage, options: EncryptOptions): Promise<void> {
  const quick = options['format'] === 'luks' ? { 'iter-time': '1' } : {};
  const all = Object.entries({ 'key-secret': 's', ...quick, ...options });
  const list = all.map(([name, value]) => `encrypt.${name}=${value}`).join(',');
  const { path, secret } = image;
  await succeed('qemu-img', ['create', '-q', ...object(secret), '-f', 'qcow2', '-o', list, path, '1M']);
}

/** Makes a plain image with QEMU, and a LUKS image out of it: the area of its header lies behind all else. */
export async function createWithLuks(path: string, luks: NewLuks, size: number = 1 << 20): Promise<void> {
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(size)]);
  const { bytes, header } = await imageBytes(path);
  const offset = Math.ceil(bytes.length / header.clusterSize) * header.clusterSize;
  const image = Buffer.alloc(offset + Math.ceil(luks.areaLength / header.clusterSize) * header.clusterSize);
  const extension = encryptionExtension({ offset, length: luks.areaLength });
  image.set(bytes);
  image.set(encodeHeader({ ...header, cryptMethod: 'luks', extensions: [extension] }));
  image.set(luks.bytes, offset);
  const refcounts = entryOffset(
    image.readUInt32BE(header.refcountTableOffset),
    image.readUInt32BE(header.refcountTableOffset + 4),
  );
  for (let at = offset; at < image.length; at += header.clusterSize) {
    image.writeUInt16BE(1, refcounts + (at / header.clusterSize) * 2);
  }
  await writeFile(path, image);
}

/** Changes key slots as `qemu-img amend` does. */
export async function amendWithQemu(
  image: EncryptedImage,
  newSecret: string,
  options: EncryptOptions,
): Promise<void> {
  const list = Object.entries(options).map(([name, value]) => `encrypt.${name}=${value}`);
  const objects = [...object(image.secret), ...object(newSecret, 'n')];
  await succeed('qemu-img', ['amend', ...objects, '--image-opts', '-o', list.join(','), imageOptions(image)]);
}

/** Runs qemu-io commands, which may fail. */
export function tryQemuIo(image: EncryptedImage, ...commands: string[]): Promise<Ran> {
  const list = commands.flatMap((command) => ['-c', command]);
  return run('qemu-io', [...object(image.secret), '--image-opts', imageOptions(image), ...list]);
}

/** Writes with QEMU. */
export async function writeWithQemu(image: EncryptedImage, guest: number, data: Uint8Array): Promise<void> {
  const pattern = `${image.path}.pattern`;
  await writeFile(pattern, data);
  const ran = await tryQemuIo(image, `write -s ${pattern} ${guest} ${data.length}`);
  assert.match(ran.stdout, /^wrote /, ran.stdout + ran.stderr);
}

/** The whole disk, as QEMU reads it. */
export async function readWithQemu(image: EncryptedImage): Promise<Buffer> {
  const raw = `${image.path}.raw`;
  const source = [...object(image.secret), '--image-opts', imageOptions(image)];
  await succeed('qemu-img', ['convert', ...source, '-O', 'raw', raw]);
  return readFile(raw);
}

/** Asserts that QEMU finds nothing to say about an image's structures. */
export async function checkWithQemu(image: EncryptedImage): Promise<void> {
  const printed = await succeed('qemu-img', [
    'check',
    ...object(image.secret),
    '--image-opts',
    imageOptions(image),
  ]);
  assert.match(printed, /^No errors were found/);
}

/** An image's bytes, with its header, and reads of its structures: without an engine between a test and the file. */
export interface ImageBytes extends LuksSource {
  readonly bytes: Buffer;
  readonly header: Qcow2Header;
  /** Where a guest cluster's data lies in the file. */
  hostOffset(guest: number): number;
}

/** Reads an image whole. */
export async function imageBytes(path: string): Promise<ImageBytes> {
  const bytes = await readFile(path);
  const header = decodeHeader(bytes);
  const entry = (at: number) => entryOffset(bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4));
  return {
    path,
    bytes,
    header,
    readStructure: (what, offset, length) => readStructure(bytes, what, offset, length),
    hostOffset(guest) {
      const cluster = Math.floor(guest / header.clusterSize);
      const inTable = header.clusterSize / 8;
      const table = entry(header.l1Offset + Math.floor(cluster / inTable) * 8);
      return entry(table + (cluster % inTable) * 8) + (guest % header.clusterSize);
    },
  };
}

/** A copy of part of `bytes`, which must all be there. */
export async function readStructure(
  bytes: Uint8Array,
  what: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (offset + length > bytes.length) throw new CalveError('corrupt', `the file ends before ${what}`);
  return Uint8Array.from(bytes.subarray(offset, offset + length));
}

function object(secret: string, id = 's'): string[] {
  return ['--object', `secret,id=${id},data=${secret}`];
}

function imageOptions({ path }: EncryptedImage): string {
  return `driver=qcow2,file.filename=${path},encrypt.key-secret=s`;
}
