import { after } from 'node:test';
import { diskContract } from '../../test/contracts/disk-contract.ts';
import { createWithLuks } from '../../test/support/encrypted-image.ts';
import { succeed } from '../../test/support/programs.ts';
import { temporaryFolder } from '../../test/support/temporary.ts';
import { MemoryDisk } from '../disk/index.ts';
import { createLuks } from './encryption/create-luks.ts';
import { createQcow2, denyBacking, followDataFile, openQcow2, type Qcow2Disk } from './index.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
let made = 0;
const path = (): string => {
  made += 1;
  return folder.join(`${made}.qcow2`);
};

/** The suite makes disks smaller without saying that this may cost what lies there, as it may with most disks. */
async function shrinking(opening: Promise<Qcow2Disk>): Promise<Qcow2Disk> {
  const disk = await opening;
  const resize = disk.resize.bind(disk);
  disk.resize = (size) => resize(size, { shrink: true });
  return disk;
}

diskContract('qcow2', async (size) => {
  const image = path();
  await createQcow2(image, { size, sync: false });
  return shrinking(openQcow2(image, { writable: true, backing: denyBacking }));
});

diskContract('qcow2 with clusters of 512 bytes', async (size) => {
  const image = path();
  await createQcow2(image, { size, clusterSize: 512, refcountBits: 1, sync: false });
  return shrinking(openQcow2(image, { writable: true, backing: denyBacking }));
});

diskContract('qcow2 over a backing disk that is shorter', async (size) => {
  const image = path();
  await createQcow2(image, { size, clusterSize: 4096, backingFile: 'b', backingFormat: 'raw', sync: false });
  return shrinking(openQcow2(image, { writable: true, backing: async () => new MemoryDisk(70_000) }));
});

diskContract('qcow2 version 2', async (size) => {
  const image = path();
  await createQcow2(image, { size, version: 2, clusterSize: 1024, sync: false });
  return shrinking(openQcow2(image, { writable: true, backing: denyBacking }));
});

diskContract('qcow2 encrypted with LUKS', async (size) => {
  const image = path();
  const passphrase = Buffer.from('abc');
  await createWithLuks(
    image,
    await createLuks(passphrase, { iterations: { keySlot: 1000, masterKey: 1000 } }),
    size,
  );
  return shrinking(openQcow2(image, { writable: true, backing: denyBacking, encryption: { passphrase } }));
});

diskContract('qcow2 with subclusters', async (size) => {
  const image = path();
  const options = ['-o', 'extended_l2=on,cluster_size=16k'];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, image, String(size)]);
  return shrinking(openQcow2(image, { writable: true, backing: denyBacking }));
});

diskContract('qcow2 with a data file', async (size) => {
  const image = path();
  const options = ['-o', `data_file=${image}.data`];
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', ...options, image, String(size)]);
  return shrinking(openQcow2(image, { writable: true, backing: denyBacking, dataFile: followDataFile() }));
});
