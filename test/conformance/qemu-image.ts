import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLuks } from '../../src/qcow2/encryption/create-luks.ts';
import { encryptionExtension } from '../../src/qcow2/encryption/index.ts';
import { decodeHeader, encodeHeader } from '../../src/qcow2/header.ts';
import { report, run } from '../support/programs.ts';
import { type Change, diskSize, runsOf } from './change.ts';
import type { Combination } from './combination.ts';

export const PASSPHRASE = 'calf';
const SECRET = ['--object', `secret,id=s,data=${PASSPHRASE}`];
/** QEMU takes seconds to measure how many iterations a header of its own gets, so that most images get this one. */
const LUKS = createLuks(Buffer.from(PASSPHRASE), { iterations: { keySlot: 1000, masterKey: 1000 } });

/** Makes an image with QEMU; false when it refuses to. Its name is `name`, its data file's `name.data`. */
export async function createWithQemu(folder: string, name: string, one: Combination): Promise<boolean> {
  const { version, clusterSize, refcountBits, compressionType, extendedL2, dataFile, encryption } = one;
  const options = [
    `compat=${version === 2 ? '0.10' : '1.1'}`,
    `cluster_size=${clusterSize}`,
    `refcount_bits=${refcountBits}`,
    `compression_type=${compressionType}`,
    `extended_l2=${extendedL2 ? 'on' : 'off'}`,
    ...(dataFile === 'none' ? [] : [`data_file=${name}.data`]),
    ...(dataFile === 'raw' ? ['data_file_raw=on'] : []),
    ...(encryption === 'aes' ? ['encrypt.format=aes', 'encrypt.key-secret=s'] : []),
  ];
  const args = ['create', '-q', ...SECRET, '-f', 'qcow2', '-o', options.join(','), name, `${diskSize(one)}`];
  const ran = await run('qemu-img', args, { cwd: folder });
  if (ran.code !== 0) return false;
  if (encryption === 'luks') await encrypt(folder, name);
  return true;
}

/** Puts a LUKS header behind everything else of a fresh image, and lets QEMU count its clusters. */
async function encrypt(folder: string, name: string): Promise<void> {
  const path = join(folder, name);
  const bytes = await readFile(path);
  const header = decodeHeader(bytes);
  const luks = await LUKS;
  const roundUp = (length: number) => Math.ceil(length / header.clusterSize) * header.clusterSize;
  const offset = roundUp(bytes.length);
  const image = Buffer.alloc(offset + roundUp(luks.areaLength));
  const extension = encryptionExtension({ offset, length: luks.areaLength });
  image.set(bytes);
  image.set(encodeHeader({ ...header, cryptMethod: 'luks', extensions: [...header.extensions, extension] }));
  image.set(luks.bytes, offset);
  await writeFile(path, image);
  await run('qemu-img', ['check', '-q', '-r', 'all', ...SECRET, '--image-opts', imageOptions(name, true)], {
    cwd: folder,
  });
}

/** Lets QEMU read that an image holds what some changes led to, and make others, in one process. */
export async function playWithQemu(
  folder: string,
  name: string,
  one: Combination,
  before: readonly Change[],
  changes: readonly Change[],
): Promise<void> {
  const reads = before.length === 0 ? [] : runsOf(diskSize(one), before).map(readCommand);
  const commands = [...reads, ...changes.map(changeCommand)];
  const options = imageOptions(name, one.encryption !== 'none');
  const args = [
    '-d',
    'unmap',
    ...SECRET,
    '--image-opts',
    options,
    ...commands.flatMap((command) => ['-c', command]),
  ];
  const ran = await run('qemu-io', args, { cwd: folder });
  assert.ok(ran.code === 0 && ran.stderr === '' && !/failed|error|found/i.test(ran.stdout), report(ran));
}

/** Asserts that QEMU's check finds nothing to say. */
export async function checkWithQemu(folder: string, name: string, one: Combination): Promise<void> {
  const options = imageOptions(name, one.encryption !== 'none');
  const ran = await run('qemu-img', ['check', ...SECRET, '--image-opts', options], { cwd: folder });
  assert.ok(ran.code === 0 && ran.stdout.startsWith('No errors were found'), report(ran));
}

function imageOptions(name: string, encrypted: boolean): string {
  return `driver=qcow2,file.filename=${name}${encrypted ? ',encrypt.key-secret=s' : ''}`;
}

function readCommand({ value, offset, length }: Pick<Change, 'value' | 'offset' | 'length'>): string {
  return `read -q -P ${value} ${offset} ${length}`;
}

function changeCommand({ kind, offset, length, value }: Change): string {
  switch (kind) {
    case 'write':
      return `write -q -P ${value} ${offset} ${length}`;
    case 'compress':
      return `write -q -c -P ${value} ${offset} ${length}`;
    case 'zero':
      return `write -q -z -u ${offset} ${length}`;
    default:
      return `discard -q ${offset} ${length}`;
  }
}
