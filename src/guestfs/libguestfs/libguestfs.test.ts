import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import {
  asAnyoneTells,
  type LibguestfsDisk,
  makeLibguestfsDisk,
  ODD_NAMES,
} from '../../../test/support/libguestfs-disk.ts';
import { useOwnKernel } from '../../../test/support/libguestfs-kernel.ts';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { factsOfFolder, factsOfTree, type TreeFacts } from '../../../test/support/tree-facts.ts';
import { changedPaths } from '../../../test/support/tree-truth.ts';
import { openRawDisk } from '../../disk/index.ts';
import { compareTrees } from '../compare/compare-trees.ts';
import { openTreePair } from '../compare/open-tree-pair.ts';
import { copyOut } from '../copy/copy-out.ts';
import { hostDestination } from '../copy/host-destination.ts';
import { listVolumes } from '../list-volumes.ts';
import { openChosenVolume } from '../open-chosen-volume.ts';

/** Of processes that run now, the command lines that have a word in them. */
async function running(word: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const line = await import('node:fs/promises').then(({ readFile }) =>
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
    );
    if (line.includes(word)) found.push(line);
  }
  return found;
}

/** Numbers in subvolumes are not the kernel's. */
function withoutInodes(facts: TreeFacts): TreeFacts {
  return Object.fromEntries(Object.entries(facts).map(([path, { inode: _, ...rest }]) => [path, rest]));
}

test('what calve does not read itself is read by one virtual machine of libguestfs', async (t) => {
  await useOwnKernel();
  await using folder = await temporaryFolder();
  const { path, facts }: LibguestfsDisk = await makeLibguestfsDisk(folder);
  await using disk = await openRawDisk(path);
  const volumes = await listVolumes(disk);
  assert.deepEqual(
    volumes.map(({ name, kind, label, isReadable, isReadHere }) => [
      name,
      kind,
      label,
      isReadable,
      isReadHere,
    ]),
    [
      ['1', 'xfs', 'data', true, false],
      ['2', 'xfs', 'data', true, false],
      ['3', 'btrfs', null, true, false],
      ['4', 'lvm', null, false, false],
      ['group/pieces', 'ext4', 'pieces', true, false],
      ['group/whole', 'ext4', 'whole', true, true],
    ],
  );
  let starts = 0;
  const open = (name: string) =>
    openChosenVolume(volumes, name, {
      onStart: () => {
        starts += 1;
      },
    });
  {
    await using tree = (await open('/dev/group/whole')).tree;
    assert.deepEqual(asAnyoneTells(await factsOfTree(tree)), facts['group/whole']);
    assert.equal(starts, 0);
  }
  const began = performance.now();
  {
    await using first = (await open('1')).tree;
    t.diagnostic(`started in ${((performance.now() - began) / 1000).toFixed(1)} s`);
    const machine = await running('guestfsd.sock');
    assert.ok(machine.length > 0);
    assert.deepEqual(asAnyoneTells(await factsOfTree(first)), facts[1]);
    for (const name of ODD_NAMES) {
      const inode = await first.lookup(Buffer.from(`/${name}`, 'latin1'));
      assert.equal(inode.number, facts[1][name]?.['inode']);
    }
    assert.equal((await first.lookup('deep/er/link')).number, facts[1]['etc/passwd']?.['inode']);
    await refused(first.lookup('/etc/none'), 'not-found', /no such file in the guest/);
    await refused(first.stat(2 ** 40), 'not-found');

    const target = folder.join('copied');
    const report = await copyOut(
      first,
      await first.root(),
      hostDestination(target, { name: Buffer.from('root'), isDirectory: true }),
    );
    assert.deepEqual([report.failed, report.lostAttributes], [[], 0]);
    const copied = await factsOfFolder(target, { crtime: false });
    assert.deepEqual(
      [...Object.values(changedPaths(facts[1], copied))].map((paths: Set<string>) => [...paths]),
      // Devices are not copied.
      [[], [], ['device']],
    );

    await using stack = new AsyncDisposableStack();
    const [before, after] = volumes;
    assert.ok(before !== undefined && after !== undefined);
    const trees = await openTreePair(stack, { before, after }, undefined, {});
    const told = await Array.fromAsync(
      compareTrees(trees, { before: await trees.before.root(), after: await trees.after.root() }, ''),
      ({ kind, path: at }) => `${kind} ${at.toString('latin1')}`,
    );
    const truth = changedPaths(facts[1], facts[2]);
    assert.deepEqual(
      told.filter((each) => each !== 'modified ').sort(),
      Object.entries(truth)
        .flatMap(([kind, paths]: [string, Set<string>]) => [...paths].map((at) => `${kind} ${at}`))
        .sort(),
    );
    assert.ok(truth.modified.has('large'));

    for (const name of ['3', 'group/pieces'] as const) {
      await using tree = (await open(name)).tree;
      assert.deepEqual(withoutInodes(asAnyoneTells(await factsOfTree(tree))), withoutInodes(facts[name]));
    }
    assert.equal(starts, 1);
  }
  assert.deepEqual(await running('guestfsd.sock'), []);
  await refused(
    (volumes[3] ?? assert.fail()).open(),
    'unsupported',
    /^partition 4 \(lvm\): its files cannot be read/,
  );
  assert.ok(existsSync(path));
});
