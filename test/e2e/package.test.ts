import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PROGRAMS } from '../../scripts/programs.ts';
import { findProgram, succeed } from '../support/programs.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** The modules that `import(path)` loads, as URLs, in a Node of its own. */
async function loadedBy(path: string): Promise<string[]> {
  const script = `
    import { registerHooks } from 'node:module';
    const before = new Set(process.moduleLoadList);
    const loaded = [];
    registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
    await import(${JSON.stringify(path)});
    const builtin = process.moduleLoadList.filter((name) => !before.has(name));
    console.log(JSON.stringify({ loaded, builtin }));
  `;
  const printed = await succeed(`/${process.execPath.slice(1)}`, ['--input-type=module', '-e', script]);
  const { loaded, builtin }: { loaded: string[]; builtin: string[] } = JSON.parse(printed);
  assert.ok(loaded.some((url) => url.endsWith(path)));
  return [...loaded, ...builtin];
}

test('the format library loads neither the command line, nor the store, nor an HTTP client, nor a foreign library', async () => {
  for (const folder of ['disk', 'qcow2']) {
    const loaded = await loadedBy(`${root}src/${folder}/index.ts`);
    const wrong = loaded.filter((url) =>
      /src\/(cli|store|registry|oci|guestfs)\/|node_modules\/(commander|koffi|valibot|ext2fs|undici)\/|NativeModule (_http|http|https|http2|tls)\b/.test(
        url,
      ),
    );
    assert.deepEqual(wrong, [], `src/${folder}`);
  }
});

test('every entry of the package has its source', async () => {
  const text = await readFile(`${root}package.json`, 'utf8');
  const targets = [...text.matchAll(/"\.?\/?dist\/([^"]+?)(?:\.d\.ts|\.js)"/g)].map(
    ([, name = '']) => PROGRAMS[name.replace(/^program\//, '')] ?? `src/${name}.ts`,
  );
  assert.ok(targets.length > 4);
  for (const target of targets) assert.ok(existsSync(`${root}${target}`), `${target} is missing`);
});

test('the front door of every folder begins by saying what the folder owns and what it may import', async () => {
  const folders = (await readdir(`${root}src`)).sort();
  const unsaid: string[] = [];
  for (const folder of folders) {
    const door = `${root}src/${folder}/${folder === 'cli' ? 'main' : 'index'}.ts`;
    const [first = ''] = (await readFile(door, 'utf8')).replace(/^#!.*\n/, '').split('*/', 1);
    const [, imports = ''] =
      /^\/\*\*[\s*]+Owns .*\bimports\b(.*)/s.exec(first) ?? assert.fail(`${door}: ${first}`);
    for (const name of await importedBy(folder, folders)) {
      if (!new RegExp(`\\b${name}\\b`).test(imports)) unsaid.push(`${folder} imports ${name}`);
    }
  }
  assert.deepEqual(unsaid, []);
});

/** The folders of src whose index.ts a folder's files import, its tests apart, in the order of `folders`. */
async function importedBy(folder: string, folders: string[]): Promise<string[]> {
  const found = new Set<string>();
  for (const file of await readdir(`${root}src/${folder}`, { recursive: true })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
    const text = await readFile(`${root}src/${folder}/${file}`, 'utf8');
    for (const [, name = ''] of text.matchAll(/'(?:\.\.\/)+(\w+)\/index\.ts'/g)) found.add(name);
  }
  return folders.filter((name) => found.has(name));
}

test('what the program reads beside its code comes with the package', async () => {
  const npm = findProgram('npm') ?? assert.fail('npm is missing');
  const printed = await succeed(`/${npm.slice(1)}`, ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
  });
  const [packed]: { files: { path: string }[] }[] = JSON.parse(printed);
  const paths = new Set(packed?.files.map((file) => file.path));
  for (const asset of await readdir(`${root}assets`)) assert.ok(paths.has(`assets/${asset}`), asset);
  assert.ok(![...paths].some((path) => /^(src|test)\//.test(path)), 'sources and tests stay at home');
});
