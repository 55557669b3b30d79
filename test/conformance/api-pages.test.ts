import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { format } from 'node:util';
import { succeed } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ROOMS = ['qcow2', 'disk', 'nbd', 'store'] as const;
/** Examples of pages that are run, and of those that stand in for a store of the reader's: these are typed alone. */
const RUN = ROOMS.map((room) => `docs/api/${room}.md`);
const TYPED = ['README.md'];

interface Example {
  /** Page and line. */
  readonly name: string;
  readonly source: string;
  /** What stands behind `// →`. */
  readonly prints: readonly string[];
}

async function examplesOf(page: string): Promise<Example[]> {
  const text = await readFile(ROOT + page, 'utf8');
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => {
    const source = match[1] ?? '';
    const prints = [...source.matchAll(/\/\/ → (.*)$/gm)].map(([, printed = '']) => printed);
    return { name: `${page}:${text.slice(0, match.index).split('\n').length}`, source, prints };
  });
}

/** Names that a room's index.ts exports, types too. */
async function exportsOf(room: string): Promise<string[]> {
  const source = await readFile(`${ROOT}src/${room}/index.ts`, 'utf8');
  const lists = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list = '']) => list);
  const names = lists.flatMap((list) => list.split(',').map((name) => name.replace(/\btype\b/, '').trim()));
  return names.filter((name) => name !== '');
}

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const examples = (await Promise.all([...RUN, ...TYPED].map(examplesOf))).flat();

/** The examples as files, which import the sources. */
const files = new Map<Example, string>();
for (const [index, example] of examples.entries()) {
  const path = folder.join(`${index}.ts`);
  files.set(example, path);
  const toSources = (_: string, quote: string, room = 'store') =>
    `from ${quote}${ROOT}src/${room}/index.ts${quote}`;
  await writeFile(path, example.source.replace(/from (['"])calve(?:\/(\w+))?\1/g, toSources));
}

describe('the API pages', () => {
  for (const room of ROOMS) {
    it(`name everything that ${room} exports`, async () => {
      const page = await readFile(`${ROOT}docs/api/${room}.md`, 'utf8');
      const names = await exportsOf(room);
      assert.ok(names.length > 20, 'the index.ts was not understood');
      const words = new Set(page.match(/\w+/g));
      assert.deepEqual(
        names.filter((name) => !words.has(name)),
        [],
      );
    });
  }

  it('have examples that are typed as strictly as the sources', async () => {
    await symlink(`${ROOT}node_modules`, folder.join('node_modules'));
    const compilerOptions = {
      noEmit: true,
      declaration: false,
      isolatedDeclarations: false,
      noUnusedLocals: false,
      rootDir: '/',
    };
    const config = { extends: `${ROOT}tsconfig.json`, compilerOptions, include: ['*.ts'] };
    await writeFile(folder.join('tsconfig.json'), JSON.stringify(config));
    await writeFile(folder.join('package.json'), JSON.stringify({ type: 'module' }));
    await succeed(`/${ROOT.slice(1)}node_modules/.bin/tsc`, ['-p', folder.join('tsconfig.json')]);
  });
});

describe('an example does what it says', () => {
  const before = process.cwd();
  after(() => process.chdir(before));

  for (const [example, path] of files) {
    if (TYPED.some((page) => example.name.startsWith(page))) continue;
    it(example.name, async (t) => {
      const printed: string[] = [];
      t.mock.method(console, 'log', (...values: unknown[]) => printed.push(format(...values)));
      await mkdir(`${path}.folder`);
      process.chdir(`${path}.folder`);
      await import(path);
      assert.deepEqual(printed.join('\n').split('\n'), example.prints);
    });
  }
});
