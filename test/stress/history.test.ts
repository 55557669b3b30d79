import assert from 'node:assert/strict';
import { createCipheriv } from 'node:crypto';
import { test } from 'node:test';
import type { Store } from '../../src/store/index.ts';
import { qemuImgCheck } from '../support/qemu.ts';
import { seededRandom } from '../support/random.ts';
import { MiB, storeScene } from '../support/store-scene.ts';
import { LONG, rounds, SEED } from '../support/suite.ts';

const CLUSTER = 65_536;
/** Clusters of the disk, and how many of them, 0.1 %, each commit changes. */
const [CLUSTERS, CHANGES] = LONG ? [16_384, 16] : [1024, 1];
const COMMITS = rounds(20, 1000);

/** By cluster the commit that wrote it last; 0 is the base, which reads zeros. */
type Model = Uint16Array;

/** What a commit wrote into a cluster: bytes that do not compress. */
function written(cluster: number, commit: number): Buffer {
  const key = Buffer.alloc(32);
  key.writeUInt32LE(cluster, 0);
  key.writeUInt32LE(commit, 4);
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(CLUSTER));
}

/** Bytes of a layer of such clusters: header, L1 table, L2 tables, refcount table and block, the clusters. */
function deltaSize(clusters: ReadonlySet<number>): number {
  const tables = new Set([...clusters].map((cluster) => Math.floor(cluster / 8192)));
  return (2 + tables.size + 2 + clusters.size) * CLUSTER;
}

async function writeClusters(store: Store, clusters: ReadonlySet<number>, commit: number): Promise<void> {
  await using disk = await store.envs.openDisk('work', { writable: true });
  for (const cluster of clusters) await disk.write(written(cluster, commit), cluster * CLUSTER);
}

async function assertHolds(store: Store, version: string, model: Model): Promise<void> {
  await using disk = await store.versions.openDisk(version);
  const found = Buffer.alloc(CLUSTER);
  const zeros = Buffer.alloc(CLUSTER);
  for (const [cluster, commit] of model.entries()) {
    await disk.read(found, cluster * CLUSTER);
    assert.ok(
      found.equals(commit === 0 ? zeros : written(cluster, commit)),
      `${version}: cluster ${cluster}`,
    );
  }
}

test(`${COMMITS} commits that change 0.1 % at random: chains stay short, bytes few, every version what it was`, async (t) => {
  await using scene = await storeScene();
  const { store, context } = scene;
  await store.versions.import(await scene.rawDisk('disk.raw', CLUSTERS * CLUSTER), { ref: 'disk' });
  await store.envs.create('disk', { name: 'work' });
  const random = seededRandom(SEED);
  const model: Model = new Uint16Array(CLUSTERS);
  const kept = new Map<string, Model>();
  let [plain, stored, deepest, merges] = [0, 0, 0, 0];
  for (let commit = 1; commit <= COMMITS; commit += 1) {
    const clusters = new Set<number>();
    while (clusters.size < CHANGES) clusters.add(Math.floor(random() * CLUSTERS));
    await writeClusters(store, clusters, commit);
    for (const cluster of clusters) model[cluster] = commit;
    const { version, summary, changed, mergedLayers } = await store.envs.commit('work');
    assert.deepEqual(changed, { dataClusters: CHANGES, zeroClusters: 0 });
    if (mergedLayers === 0) assert.equal(summary.fileSize, deltaSize(clusters));
    else merges += 1;
    plain += deltaSize(clusters);
    stored += summary.fileSize;
    deepest = Math.max(deepest, version.layers.length);
    if (mergedLayers > 0 || commit % Math.ceil(COMMITS / 8) === 0) kept.set(version.digest, model.slice());
  }
  const ratio = stored / plain;
  t.diagnostic(`${merges} merges; deepest ${deepest}; ${ratio.toFixed(2)} times the bytes of plain deltas`);
  assert.ok(merges > 0);
  assert.ok(deepest <= 32, `${deepest} layers`);
  assert.ok(ratio <= 3, `${ratio} times plain deltas`);
  const { totals } = await store.df();
  assert.ok(totals.layers <= stored + MiB, `${totals.layers} bytes of layers in the store`);

  const every = Math.max(1, Math.ceil(kept.size / (LONG ? 16 : 3)));
  const sampled = [...kept].filter((_, at) => at % every === 0 || at === kept.size - 1);
  for (const [version, then] of sampled) {
    await assertHolds(store, version, then);
    await qemuImgCheck(
      context.layout.blob((await store.versions.get(version)).layers.at(-1)?.digest ?? 'sha256:'),
    );
  }
  assert.deepEqual((await store.fsck()).problems, []);
});
