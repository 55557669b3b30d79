import assert from 'node:assert/strict';
import { open, readFile, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { COPIED, DamagedImage } from '../../../test/support/damaged-image.ts';
import { checkWithQemu, createWithLuks } from '../../../test/support/encrypted-image.ts';
import { makeImage } from '../../../test/support/image-kinds.ts';
import { succeed } from '../../../test/support/programs.ts';
import { holdInQemuIo } from '../../../test/support/qemu.ts';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { SoundImages } from '../../../test/support/sound-images.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { lockImage, openFile } from '../../host/index.ts';
import { createLuks } from '../encryption/create-luks.ts';
import { type CheckOptions, checkQcow2 } from './check-qcow2.ts';
import type { CheckFinding } from './finding.ts';
import { repairQcow2 } from './repair-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const images = new SoundImages(folder);

describe('the memory for reference counts', () => {
  // Three windows at the least that there is, which is 4096 clusters.
  const SMALL = 1;
  const many = { options: 'cluster_size=512', size: '8M', writes: ['write -P 1 0 4M'], snapshots: 1 };

  async function manyClusters(damage: (image: DamagedImage) => void): Promise<string> {
    const path = folder.join('many');
    await makeImage(many, folder.join('sound-many'));
    await writeFile(path, await readFile(folder.join('sound-many')));
    const image = await DamagedImage.open(path);
    assert.ok(image.clusters > 2 * 4096);
    damage(image);
    await image.save();
    return path;
  }

  function damageEverywhere(image: DamagedImage): void {
    const last = image.clusters - 1;
    for (const cluster of [3000, 4095, 4096, 4097, 8192, last]) image.setRefcount(cluster, 7);
    for (const table of [1, 60, 120]) {
      image.change(image.l2Entry(5, table), (entry) => entry ^ COPIED);
      image.set(image.l2Entry(7, table), image.get(image.l2Entry(8, 125 - table)));
      image.change(image.l2Entry(9, table), (entry) => entry | 4n);
      image.set(image.l2Entry(11, table), 2n ** 40n);
    }
  }

  const sorted = (findings: readonly CheckFinding[]) =>
    findings.map((finding) => JSON.stringify(finding)).sort();

  it('changes nothing about what is found', async () => {
    const path = await manyClusters(damageEverywhere);
    const { findings, ...counts } = await checkQcow2(path);
    const { findings: inWindows, ...countsInWindows } = await checkQcow2(path, { refcountMemory: SMALL });
    assert.deepEqual(countsInWindows, counts);
    assert.deepEqual(sorted(inWindows), sorted(findings));
    assert.equal(counts.corruptions, (await qemuCounts(path))?.corruptions);
    assert.ok(counts.corruptions > 15 && counts.leaks > 6);
  });

  it('may be less than a refcount block counts', async () => {
    const path = folder.join('blocks');
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'preallocation=metadata', path, '300M']);
    const image = await DamagedImage.open(path);
    for (const cluster of [4095, 4096, 4500]) image.setRefcount(cluster, 2);
    const block = image.offset(image.refcountTableEntry(0));
    // The file is a hole for the most part, and must stay one.
    const file = await open(path, 'r+');
    await file.write(image.bytes, block, image.clusterSize, block);
    await file.close();
    const { leaks, findings } = await checkQcow2(path, { refcountMemory: SMALL });
    assert.equal(leaks, 3);
    const offsets = findings.filter(({ kind }) => kind === 'leak').map(({ hostOffset }) => hostOffset);
    assert.deepEqual(offsets, [4095 * 65_536, 4096 * 65_536, 4500 * 65_536]);
  });

  it('changes nothing about what is repaired', async () => {
    for (const repair of ['leaks', 'all'] as const) {
      const path = await manyClusters(damageEverywhere);
      await writeFile(`${path}.windows`, await readFile(path));
      const report = await repairQcow2(path, { repair });
      const inWindows = await repairQcow2(`${path}.windows`, { repair, refcountMemory: SMALL });
      assert.equal(inWindows.corruptions, report.corruptions);
      assert.equal(inWindows.corruptionsFixed, report.corruptionsFixed);
      assert.ok((await readFile(`${path}.windows`)).equals(await readFile(path)));
      if (repair === 'all') assert.equal(report.corruptions + report.leaks, 0);
    }
  });

  it('bounds what can be rebuilt, and says how much that takes', async () => {
    const path = await manyClusters((image) => image.set(image.refcountTableEntry(3), 0n));
    const bytes = await readFile(path);
    const error = await repairQcow2(path, { repair: 'all', refcountMemory: SMALL }).catch((e: unknown) => e);
    assert.ok(error instanceof Error && 'data' in error && 'code' in error);
    assert.equal(error.code, 'out-of-range');
    assert.ok((await readFile(path)).equals(bytes), 'something was written');
    const { refcountMemory } = error.data as { refcountMemory: number };
    const { corruptions } = await repairQcow2(path, { repair: 'all', refcountMemory });
    assert.equal(corruptions, 0);
  });
});

describe('findings', () => {
  it('say where they are, in the file and on the disk', async () => {
    const path = await images.damaged('snapshots', (image) => {
      image.change(image.l2Entry(80), (entry) => entry | COPIED);
      image.setRefcount(image.dataOffset(3) / image.clusterSize, 1);
    });
    const image = await DamagedImage.open(path);
    const { findings } = await checkQcow2(path);
    assert.deepEqual(findings.slice(0, 2), [
      {
        kind: 'compressed-copied',
        severity: 'corruption',
        times: 1,
        l1Index: 0,
        l2Index: 80,
        guestOffset: 80 * 65_536,
        hostOffset: image.l2Entry(80),
        structure: 'L2 table',
        expected: 'no COPIED for a compressed cluster',
        got: `0x${image.get(image.l2Entry(80)).toString(16)}`,
      },
      {
        kind: 'refcount-too-low',
        severity: 'corruption',
        times: 1,
        hostOffset: image.dataOffset(3),
        expected: 'a refcount of 3',
        got: '1, of data',
        refcount: { stored: 1, counted: 3 },
      },
    ]);
  });

  it('are listed as far as asked for, and counted all', async () => {
    const path = await images.damaged('plain', (image) => image.set(image.refcountTableEntry(0), 0n));
    const all = await checkQcow2(path);
    const few = await checkQcow2(path, { maxFindings: 3 });
    assert.deepEqual(few.findings, all.findings.slice(0, 3));
    assert.equal(few.findingsLeftOut, all.findings.length - 3);
    assert.equal(few.corruptions, all.corruptions);
  });

  it('name an overlap that the refcounts make up for, without counting it', async () => {
    const path = await images.damaged('plain', (image) => {
      image.set(image.l2Entry(1), BigInt(image.l1Offset));
      image.setRefcount(image.l1Offset / image.clusterSize, 2);
    });
    const { corruptions, findings } = await checkQcow2(path);
    assert.equal(corruptions, 0);
    const note = findings.find(({ kind }) => kind === 'overlap');
    assert.equal(note?.severity, 'note');
    assert.equal(note?.got, '2, of L1 table, data');
  });
});

describe('a check', () => {
  it('opens neither a backing nor a data file', async () => {
    const path = folder.join('overlay');
    await succeed('qemu-img', [
      ...['create', '-q', '-u', '-f', 'qcow2', '-F', 'raw', '-b', '/nowhere', path, '1M'],
    ]);
    assert.equal((await checkQcow2(path)).corruptions, 0);
    const split = folder.join('split');
    const data = folder.join('data');
    await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${data}`, split, '1M']);
    await succeed('qemu-io', ['-c', 'write -P 1 0 256k', split]);
    const counts = await qemuCounts(split);
    await writeFile(data, '');
    const { corruptions, allocatedClusters } = await checkQcow2(split);
    assert.deepEqual({ corruptions, allocatedClusters }, { corruptions: 0, allocatedClusters: 4 });
    assert.equal(counts?.allocatedClusters, 4);
  });

  it('counts the header of an encrypted disk', async () => {
    const path = folder.join('secret');
    const luks = await createLuks(Buffer.from('abc'), { iterations: { keySlot: 1000, masterKey: 1000 } });
    await createWithLuks(path, luks);
    await checkWithQemu({ path, secret: 'abc' });
    const { corruptions, leaks } = await checkQcow2(path);
    assert.deepEqual([corruptions, leaks], [0, 0]);
    const image = await DamagedImage.open(path);
    image.change(image.extension(0x0537be77), (offset) => offset + 512n);
    await image.save();
    const report = await checkQcow2(path);
    assert.equal(report.corruptions, 1);
    assert.ok(report.leaks > 10);
  });

  it('goes along with readers and not with a writer, unless told to', async () => {
    const path = await images.damaged('plain', () => {});
    await using writer = await holdInQemuIo(path);
    await assert.rejects(checkQcow2(path), { code: 'in-use' });
    await assert.rejects(repairQcow2(path, { repair: 'all' }), { code: 'in-use' });
    assert.equal((await checkQcow2(path, { lock: false })).corruptions, 0);
    await writer.close();
    await using reader = await openFile(path);
    using _lock = lockImage(reader, 'read');
    assert.equal((await checkQcow2(path)).corruptions, 0);
    await assert.rejects(repairQcow2(path, { repair: 'all' }), { code: 'in-use' });
  });

  it('tells how far it is, and can be ended', async () => {
    const path = await images.path('clusters of 512 bytes');
    const seen: number[] = [];
    let all = 0;
    const onProgress: CheckOptions['onProgress'] = ({ done, total }) => {
      seen.push(done);
      all = total;
    };
    await checkQcow2(path, { onProgress });
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
    assert.equal(seen.at(-1), all);
    const reason = new Error('enough');
    await assert.rejects(checkQcow2(path, { signal: AbortSignal.abort(reason) }), {
      code: 'aborted',
      cause: reason,
    });
    const ended = new AbortController();
    const repairing = repairQcow2(path, {
      repair: 'all',
      signal: ended.signal,
      onProgress: () => ended.abort(reason),
    });
    await assert.rejects(repairing, { code: 'aborted' });
  });

  it('throws for what is no image', async () => {
    const path = folder.join('rubbish');
    await writeFile(path, 'rubbish');
    await assert.rejects(checkQcow2(path), { code: 'invalid' });
    await assert.rejects(checkQcow2(folder.join('nothing')), { code: 'not-found' });
  });
});
