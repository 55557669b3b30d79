// A program: makes the images of `corpus/` anew, with QEMU. They are kept, because a mutated image comes back by its seed
// only when what it was made of is the same: snapshots have dates, and LUKS headers salts.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { CORPUS_FOLDER, PASSPHRASE } from './corpus.ts';

interface Kind {
  readonly options: string;
  readonly size: string;
  readonly writes: readonly string[];
  readonly snapshots?: number;
  readonly bitmaps?: number;
  readonly backing?: boolean;
  readonly encrypted?: boolean;
}

const W4K = [
  'write -P 1 0 40k',
  'write -z 60k 8k',
  'write -P 2 90k 700',
  'write -c -P 3 100k 4k',
  'write -c -P 4 104k 4k',
  'write -c -P 5 200k 4k',
];
const W512 = [
  'write -P 1 0 12k',
  'write -z 30k 2k',
  'write -P 2 40k 700',
  'write -c -P 3 50k 512',
  'write -c -P 4 51712 512',
];
const WITHOUT_COMPRESSED = W4K.filter((command) => !command.includes('-c'));

const KINDS: Readonly<Record<string, Kind>> = {
  plain: { options: 'cluster_size=4k', size: '256k', writes: W4K },
  'version-2': { options: 'compat=0.10,cluster_size=4k', size: '256k', writes: W4K, snapshots: 1 },
  'clusters-512': { options: 'cluster_size=512', size: '100k', writes: W512, snapshots: 2 },
  snapshots: { options: 'cluster_size=4k', size: '256k', writes: W4K, snapshots: 3 },
  bitmaps: { options: 'cluster_size=4k', size: '256k', writes: W4K, bitmaps: 2 },
  'refcounts-1': { options: 'cluster_size=512,refcount_bits=1', size: '100k', writes: W512.slice(0, 4) },
  'refcounts-4': {
    options: 'cluster_size=1k,refcount_bits=4',
    size: '100k',
    writes: W512.slice(0, 3),
    snapshots: 2,
  },
  'refcounts-64': { options: 'cluster_size=512,refcount_bits=64', size: '100k', writes: W512, snapshots: 1 },
  zstd: { options: 'cluster_size=4k,compression_type=zstd', size: '256k', writes: W4K },
  subclusters: {
    options: 'cluster_size=16k,extended_l2=on',
    size: '512k',
    writes: ['write -P 1 0 40k', 'write -z 60k 8k', 'write -P 2 90k 700', 'write -c -P 3 208k 16k'],
    snapshots: 1,
  },
  backing: { options: 'cluster_size=4k', size: '256k', writes: W4K, backing: true },
  'data-file': { options: 'cluster_size=4k,data_file=data.raw', size: '256k', writes: WITHOUT_COMPRESSED },
  'raw-data-file': {
    options: 'cluster_size=4k,data_file=data.raw,data_file_raw=on',
    size: '256k',
    writes: WITHOUT_COMPRESSED,
  },
  'clusters-64k': {
    options: 'lazy_refcounts=on',
    size: '1M',
    writes: ['write -P 1 0 100k', 'write -z 256k 64k', 'write -c -P 2 512k 64k'],
    snapshots: 1,
    bitmaps: 1,
  },
  aes: {
    options: 'cluster_size=4k,encrypt.format=aes,encrypt.key-secret=s',
    size: '256k',
    writes: WITHOUT_COMPRESSED,
    encrypted: true,
  },
  luks: {
    options: `cluster_size=4k,encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1,encrypt.cipher-alg=aes-128,${'encrypt.cipher-mode=cbc,encrypt.ivgen-alg=plain64'}`,
    size: '256k',
    writes: WITHOUT_COMPRESSED,
    snapshots: 1,
    encrypted: true,
  },
};

await using folder = await temporaryFolder('calve-corpus');
await rm(CORPUS_FOLDER, { recursive: true, force: true });
await mkdir(CORPUS_FOLDER, { recursive: true });
await writeFile(folder.join('base.raw'), Buffer.alloc(150_016, 0xb5));
for (const [name, kind] of Object.entries(KINDS)) {
  await make(name, kind);
  const packed = gzipSync(await readFile(folder.join(name)), { level: 9 });
  await writeFile(join(CORPUS_FOLDER, `${name}.qcow2.gz`), packed);
  process.stdout.write(`${name}: ${packed.length} bytes\n`);
}

async function make(name: string, kind: Kind): Promise<void> {
  const { options, size, writes, snapshots = 0, bitmaps = 0 } = kind;
  const secret = kind.encrypted ? ['--object', `secret,id=s,data=${PASSPHRASE}`] : [];
  const image = kind.encrypted
    ? ['--image-opts', `driver=qcow2,file.filename=${name},encrypt.key-secret=s`]
    : ['-f', 'qcow2', name];
  const backing = kind.backing ? ['-b', 'base.raw', '-F', 'raw'] : [];
  const qemuImg = (...args: string[]) => succeed('qemu-img', args, { cwd: folder.path });
  const qemuIo = (commands: readonly string[]) =>
    succeed('qemu-io', [...secret, ...commands.flatMap((command) => ['-c', command]), ...image], {
      cwd: folder.path,
    });
  await qemuImg('create', '-q', ...secret, '-f', 'qcow2', '-o', options, ...backing, name, size);
  await qemuIo(writes);
  for (let index = 0; index < snapshots; index += 1) {
    if (kind.encrypted) await qemuImg('snapshot', '-q', '-c', `s${index}`, ...secret, ...image);
    else await qemuImg('snapshot', '-q', '-c', `s${index}`, name);
    await qemuIo([`write -P ${16 + index} 0 512`]);
  }
  for (let index = 0; index < bitmaps; index += 1) {
    await qemuImg('bitmap', '--add', '-g', '512', name, `b${index}`);
    await qemuIo([`write -P ${16 + index} 4096 3k`]);
  }
}
