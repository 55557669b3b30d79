import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { contentOf } from '../../test/support/disk-content.ts';
import { succeed } from '../../test/support/programs.ts';
import { holdInQemuIo, qemuImgCheck, qemuImgCompare, qemuIo } from '../../test/support/qemu.ts';
import { refused } from '../../test/support/refused.ts';
import { MiB, noise, type StoreScene, storeScene } from '../../test/support/store-scene.ts';
import type { AdoptReport } from './adopt-report.ts';
import { openLayout, openStore } from './open-store.ts';
import { Store } from './store.ts';

/** Threads that compress would take longer to start than these disks to be read. */
const PLAIN = { compression: 'none' } as const;

/** A qcow2 file, on another one or none, with some writes by qemu-io. */
async function image(
  path: string,
  base: string | undefined,
  writes: string[],
  format = 'qcow2',
): Promise<string> {
  const about = base === undefined ? [] : ['-F', format, '-b', relative(dirname(path), base)];
  await succeed('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    ...about,
    path,
    ...(base === undefined ? ['4M'] : []),
  ]);
  if (writes.length > 0) await qemuIo(path, writes);
  return path;
}

/**
 * ```
 * base.raw                 debian.qcow2        lone.qcow2
 *   a/one.qcow2              a/debian.qcow2 (an overlay that grew, on which b/shop.qcow2 stands)
 *                            b/one.qcow2
 * ```
 */
async function folderOfImages(scene: StoreScene): Promise<string> {
  const folder = scene.path('vms');
  for (const each of ['', 'a', 'b']) await mkdir(join(folder, each));
  const raw = await scene.rawDisk('vms/base.raw', 2 * MiB + 1000, {
    0: noise('raw', 100_000),
    2000000: noise('end', 90_000),
  });
  await image(join(folder, 'a/one.qcow2'), raw, ['write -P 1 64k 4k', 'write -z 0 64k'], 'raw');
  const debian = await image(join(folder, 'debian.qcow2'), undefined, ['write -P 2 0 1M']);
  const middle = await image(join(folder, 'a/debian.qcow2'), debian, []);
  await succeed('qemu-img', ['resize', '-q', middle, '6M']);
  await qemuIo(middle, ['write -P 3 5M 64k']);
  await image(join(folder, 'b/shop.qcow2'), middle, ['write -P 4 0 100k', 'discard 5M 64k']);
  await image(join(folder, 'b/one.qcow2'), debian, []);
  await image(join(folder, 'lone.qcow2'), undefined, ['write -P 5 1M 64k']);
  await writeFile(join(folder, 'notes.txt'), 'QFI, but no image');
  return folder;
}

/** What any program could tell of the files in a folder. */
async function factsOf(folder: string): Promise<Map<string, unknown>> {
  const facts = new Map<string, unknown>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { mtimeMs, ctimeMs, size, ino } = await stat(path);
    facts.set(path, [
      mtimeMs,
      ctimeMs,
      size,
      ino,
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    ]);
  }
  return facts;
}

function brief(report: AdoptReport): unknown[] {
  return report.images.map(({ file, base, becomes, state, ref, env }) => [
    file,
    base,
    becomes,
    state,
    env ?? ref,
  ]);
}

const EXPECTED = [
  ['base.raw', null, 'version', 'base:latest'],
  ['a/one.qcow2', 'base.raw', 'env', 'a-one'],
  ['debian.qcow2', null, 'version', 'debian:latest'],
  ['a/debian.qcow2', 'debian.qcow2', 'version', 'a/debian:latest'],
  ['b/shop.qcow2', 'a/debian.qcow2', 'env', 'shop'],
  ['b/one.qcow2', 'debian.qcow2', 'env', 'b-one'],
  ['lone.qcow2', null, 'version', 'lone:latest'],
] as const;

function expected(state: string): unknown[] {
  return EXPECTED.map(([file, base, becomes, name]) => [file, base, becomes, state, name]);
}

test('a folder of images becomes versions and envs that read as they do; the files stay as they are', async () => {
  await using scene = await storeScene();
  const { store, context } = scene;
  const folder = await folderOfImages(scene);
  const before = await factsOf(folder);

  const planned = await store.adopt(folder, { dryRun: true });
  assert.deepEqual(brief(planned), expected('planned'));
  assert.deepEqual([await store.refs.list(), await store.envs.list()], [[], []]);
  assert.deepEqual(await readdir(context.layout.blobs), []);

  let reached = 0;
  const report = await store.adopt(folder, {
    ...PLAIN,
    onProgress: ({ done, total }) => (reached = done / total),
  });
  assert.deepEqual(brief(report), expected('adopted'));
  assert.deepEqual([report.warnings, report.images.flatMap(({ warnings }) => warnings)], [[], []]);
  assert.equal(reached, 1);
  for (const { file, env, ref, version } of report.images) {
    const path = env === null ? await store.versions.path(ref ?? '') : await store.envs.path(env);
    await qemuImgCheck(path);
    await qemuImgCompare(join(folder, file), file.endsWith('.raw') ? 'raw' : 'qcow2', path, 'qcow2');
    if (env === null) continue;
    const status = await store.envs.status(env);
    assert.equal(status.version, version);
    const { size } = await store.versions.get(version ?? '');
    const info = JSON.parse(await succeed('qemu-img', ['info', '--output', 'json', path]));
    assert.equal(info['virtual-size'], Math.max(size, info['virtual-size']));
  }
  // What is not in an overlay is not in its env: each difference is stored once.
  const changed = await Promise.all(
    ['a-one', 'shop', 'b-one'].map(async (name) => (await store.envs.status(name)).changedClusters),
  );
  assert.deepEqual(changed, [2, 3, 0]);
  assert.deepEqual(
    (await store.versions.get('a/debian')).layers[0],
    (await store.versions.get('debian')).layers[0],
  );
  assert.deepEqual((await store.fsck()).problems, []);
  assert.deepEqual(await factsOf(folder), before);

  // An env is one like any other: it goes on where the overlay was.
  await qemuIo(await store.envs.path('shop'), ['write -P 7 3M 64k']);
  await store.envs.commit('shop', { message: 'on' });
  assert.deepEqual((await store.fsck()).problems, []);
});

test('cut off, then a second and a third time: what is known is told, what is new adopted, what changed refused', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const folder = await folderOfImages(scene);
  const controller = new AbortController();
  const cut = store.adopt(folder, {
    ...PLAIN,
    signal: controller.signal,
    onProgress: ({ done }) => {
      if (done > 3 * MiB) controller.abort();
    },
  });
  await refused(cut, 'aborted');
  assert.deepEqual(await readdir(scene.context.layout.tmp), []);
  const states = (await store.adopt(folder, PLAIN)).images.map(({ state }) => state);
  assert.deepEqual([...new Set(states)].sort(), ['adopted', 'known']);
  const blobs = await readdir(scene.context.layout.blobs);
  await store.envs.commit('shop', { message: 'the env has gone on', ref: 'shop' });
  assert.deepEqual(
    brief(await store.adopt(folder, PLAIN)).map((each) => (each as unknown[])[3]),
    Array(7).fill('known'),
  );
  const added = (await readdir(scene.context.layout.blobs)).length - blobs.length;
  assert.equal(added, 3, 'the commit’s own layer, config and manifest');
  assert.equal((await store.envs.list()).length, 3);

  await image(join(folder, 'new.qcow2'), join(folder, 'debian.qcow2'), ['write -P 9 0 64k']);
  await qemuIo(join(folder, 'a/one.qcow2'), ['write -P 9 1M 64k']);
  const third = await store.adopt(folder, { dryRun: true });
  const found = new Map(third.images.map((each) => [each.file, each]));
  assert.deepEqual([found.get('new.qcow2')?.state, found.get('b/one.qcow2')?.state], ['planned', 'known']);
  const { error } = found.get('a/one.qcow2') ?? {};
  assert.equal(error?.code, 'diverged');
  assert.match(error?.hint ?? '', /calve rm a-one/);
  // A ref that is taken by something else gets a number.
  await store.versions.import(await scene.rawDisk('other.raw', MiB, { 0: noise('x', 9000) }), {
    ref: 'disk',
  });
  await mkdir(scene.path('more'));
  await image(scene.path('more/disk.qcow2'), undefined, ['write -P 8 0 64k']);
  const more = await store.adopt(scene.path('more'), PLAIN);
  assert.deepEqual(brief(more), [['disk.qcow2', null, 'version', 'adopted', 'disk-2:latest']]);
});

test('what cannot be adopted is refused by its name, with what stands on it, and the rest comes in', async () => {
  await using scene = await storeScene();
  const { store } = scene;
  const folder = scene.path('vms');
  await mkdir(join(folder, 'stores'), { recursive: true });
  const outside = await image(scene.path('outside.qcow2'), undefined, ['write -P 1 0 64k']);
  const good = await image(join(folder, 'good.qcow2'), undefined, ['write -P 2 0 64k']);
  const busy = await image(join(folder, 'busy.qcow2'), good, ['write -P 3 0 64k']);
  await image(join(folder, 'out.qcow2'), outside, []);
  await image(join(folder, 'on-out.qcow2'), join(folder, 'out.qcow2'), []);
  const lost = await image(join(folder, 'lost.qcow2'), good, []);
  await succeed('qemu-img', ['rebase', '-u', '-F', 'qcow2', '-b', 'gone.qcow2', lost]);
  const loop = await image(join(folder, 'loop.qcow2'), good, []);
  await succeed('qemu-img', ['rebase', '-u', '-F', 'qcow2', '-b', 'loop.qcow2', loop]);
  const json = await image(join(folder, 'json.qcow2'), good, []);
  await succeed('qemu-img', [
    'rebase',
    '-u',
    '-F',
    'raw',
    '-b',
    'json:{"file.filename":"/etc/passwd"}',
    json,
  ]);
  await writeFile(join(folder, 'torn.qcow2'), 'QFI\xfb\0\0\0\x03', 'latin1');
  await symlink(outside, join(folder, 'link.qcow2'));
  await symlink(scene.path(''), join(folder, 'linked'));
  await cp(store.folder, join(folder, 'stores/other'), { recursive: true });

  await using vm = await holdInQemuIo(busy);
  const report = await store.adopt(folder, PLAIN);
  const said = new Map(report.images.map(({ file, state, error }) => [file, error ?? state]));
  const cases: [string, string, RegExp][] = [
    ['busy.qcow2', 'in-use', new RegExp(`in use by qemu-io \\(pid ${vm.pid}\\)`)],
    ['out.qcow2', 'denied', /out.qcow2 names .*outside.qcow2, which lies outside of /],
    ['on-out.qcow2', 'not-found', /stands on out.qcow2, which cannot be adopted/],
    ['lost.qcow2', 'not-found', /its backing file is not at .*gone.qcow2/],
    ['loop.qcow2', 'invalid', /is a cycle/],
    ['json.qcow2', 'denied', /expected a file as backing file/],
    ['torn.qcow2', 'invalid', /header|magic|bytes/],
  ];
  for (const [file, code, message] of cases) {
    const error = said.get(file);
    assert.ok(typeof error === 'object', `${file}: ${error}`);
    assert.equal(error.code, code, file);
    assert.match(error.message, message);
  }
  assert.equal(said.get('good.qcow2'), 'adopted');
  assert.equal(said.size, cases.length + 1, [...said.keys()].join());
  assert.match(report.warnings.join(), /stores\/other is a store or another image layout/);
  assert.deepEqual((await store.fsck()).problems, []);

  const follow = await store.adopt(folder, { ...PLAIN, follow: true });
  const found = new Map(follow.images.map((each) => [each.file, each]));
  assert.equal(found.get(outside)?.state, 'adopted');
  assert.deepEqual([found.get('out.qcow2')?.state, found.get('out.qcow2')?.base], ['known', outside]);
  assert.equal(found.get('on-out.qcow2')?.state, 'adopted');
  await refused(store.adopt(scene.path('none')), 'not-found');
  await refused(store.adopt(outside), 'io');
});

test('adopting that is cut off anywhere is finished by adopting again', async () => {
  await using scene = await storeScene();
  const { context } = scene;
  const folder = scene.path('vms');
  await mkdir(folder);
  const base = await image(join(folder, 'base.qcow2'), undefined, ['write -P 1 0 64k']);
  await image(join(folder, 'web.qcow2'), base, ['write -P 2 0 64k']);
  const steps: string[] = [];
  const recording = new Store({ ...context, step: (name) => steps.push(name) });
  await recording.adopt(folder, PLAIN);
  const wanted = await stateOf(recording);
  for (let at = 0; at < steps.length; at += 3) {
    const path = scene.path(`cut-${at}`);
    let left = at;
    const layout = await openLayout(path, true);
    const dying = new Store({
      layout,
      step: () => {
        left -= 1;
        if (left < 0) throw new Error('killed');
      },
    });
    // What goes wrong once a ref's move is decided is told of that image alone.
    const told = await dying.adopt(folder, PLAIN).then(
      ({ images }) => images.map(({ error }) => error?.message).join(),
      (error: Error) => error.message,
    );
    assert.match(told, /killed/);
    const store = await openStore(path, { create: false });
    await store.adopt(folder, PLAIN);
    assert.deepEqual(await stateOf(store), wanted, `cut before ${steps[at]}`);
    assert.deepEqual((await store.fsck()).problems, []);
  }
});

async function stateOf(store: Store): Promise<unknown> {
  const state: unknown[] = [];
  for (const { name, version } of await store.refs.list()) {
    state.push([name, await contentOf(store.versions.openDisk(version))]);
  }
  for (const { name, ref } of await store.envs.list()) {
    state.push([name, ref, await contentOf(store.envs.openDisk(name))]);
  }
  return state;
}
