import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { diskContract } from '../../../test/contracts/disk-contract.ts';
import { startNbdkit } from '../../../test/support/nbd-peers.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { MemoryDisk, writeZeroesTo } from '../../disk/index.ts';
import { copyDisk, differences } from '../../img/index.ts';
import { fixedExports } from '../server/nbd-export.ts';
import { NbdServer } from '../server/nbd-server.ts';
import { openNbd } from './open-nbd.ts';

const folder = await temporaryFolder();

/** One server for all: each disk is an export of its own. */
const disks = new Map<string, MemoryDisk>();
const server = new NbdServer({
  exports: {
    list: async () => [],
    find: async (name) => {
      const disk = disks.get(name);
      return disk && { name, description: '', readOnly: false, open: async () => disk };
    },
  },
});
await server.listen({ path: folder.join('ours') });

/** A server that takes whole sectors alone, so that odd ranges are made of them; its disk is zeroed for each test. */
const nbdkit = await startNbdkit(folder.join('kit'), [
  '--filter=blocksize-policy',
  'memory',
  `${5 * 65_536 + 3 * 512}`,
  'blocksize-minimum=512',
  'blocksize-maximum=65536',
  'blocksize-error-policy=error',
]);
describe('an export as a disk', () => {
  after(async () => {
    await server.close();
    await nbdkit[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  diskContract('NbdDisk, over our own server', async (size) => {
    const name = `${disks.size}`;
    disks.set(name, new MemoryDisk(size));
    return openNbd(`nbd+unix:///${name}?socket=${folder.join('ours')}`, { readOnly: false });
  });

  diskContract('NbdDisk, over an nbdkit that takes whole sectors alone', async () => {
    const disk = await openNbd(nbdkit.uri(), { readOnly: false });
    await writeZeroesTo(disk, 0, disk.size);
    return disk;
  });

  describe('disks of other servers are copied and compared as any disk', () => {
    it('copies to one and from one, and finds what differs', async () => {
      const size = 3 * (1 << 20) + 512;
      await using source = new MemoryDisk(size);
      await source.write(randomBytes(1_100_000), 70_000);
      await using peer = await startNbdkit(folder.join('copy'), ['memory', `${size}`]);
      await using there = await openNbd(peer.uri(), { readOnly: false });
      await copyDisk(source, there);
      await using back = new MemoryDisk(size);
      await copyDisk(there, back);
      assert.deepEqual(await Array.fromAsync(differences(source, back)), []);
      await there.write(Buffer.alloc(512), 81_920);
      assert.deepEqual(await Array.fromAsync(differences(source, there)), [
        { offset: 81_920, length: 4096, kind: 'changed' },
      ]);
    });

    it('serves on what it reads from elsewhere', async () => {
      await using peer = await startNbdkit(folder.join('chained'), ['pattern', '1M']);
      await using proxy = new NbdServer({
        exports: fixedExports([
          { name: '', description: '', readOnly: true, open: () => openNbd(peer.uri()) },
        ]),
      });
      await proxy.listen({ path: folder.join('proxy') });
      await using disk = await openNbd(`nbd:unix:${folder.join('proxy')}`);
      const bytes = Buffer.alloc(16);
      await disk.read(bytes, 65_536);
      assert.equal(bytes.toString('hex'), '00000000000100000000000000010008');
    });
  });
});
