// Checks the arrows of the house: which folder of src/ may import which. Run by `npm run arrows`.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { parseSync } from 'oxc-parser';

/** A folder imports only from folders above it in this list. */
const ROOMS = [
  'errors',
  'bytes',
  'host',
  'disk',
  'qcow2',
  'img',
  'nbd',
  'guestfs',
  'oci',
  'registry',
  'store',
  'cli',
];
/** Packages that only one room may import. */
const CONFINED: Readonly<Record<string, string>> = { koffi: 'host', ext2fs: 'guestfs', commander: 'cli' };

const root = join(import.meta.dirname, '..', 'src');
const files = globSync('**/*.ts', { cwd: root }).filter((file) => !/\.(test|d)\.ts$/.test(file));
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const problems = files.flatMap((file) => [...roomProblems(file), ...cycleThrough(file)]);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.stdout.write(`arrows: ${files.length} files, ${problems.length} problems\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

interface Imports {
  /** Relative to src/, by whatever kind of import. */
  readonly files: readonly string[];
  /** Those of them that are loaded with the file itself. */
  readonly early: readonly string[];
  readonly packages: readonly string[];
}

/** What a file imports, statically, dynamically, or re-exports. */
function importsOf(file: string): Imports {
  const source = readFileSync(join(root, file), 'utf8');
  const { module, errors } = parseSync(file, source);
  for (const error of errors) throw new Error(`${file}: ${error.message}`);
  const early = [
    ...module.staticImports.map((item) => item.moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) => entries.map((entry) => entry.moduleRequest?.value)),
  ].filter((specifier) => specifier !== undefined);
  const late = module.dynamicImports.map(({ moduleRequest: { start, end } }) =>
    source.slice(start + 1, end - 1),
  );
  const ours = (specifiers: readonly string[]): string[] =>
    [...new Set(specifiers.filter((each) => each.startsWith('.')))].map((each) => join(dirname(file), each));
  return {
    files: ours([...early, ...late]),
    early: ours(early),
    packages: [...early, ...late].filter((specifier) => !specifier.startsWith('.')),
  };
}

function* roomProblems(file: string): Generator<string> {
  const room = roomOf(file);
  if (!ROOMS.includes(room)) {
    yield `src/${file}: the folder ${room} has no place in the order of rooms`;
  }
  for (const target of imports.get(file)?.files ?? []) {
    const targetRoom = roomOf(target);
    if (targetRoom === room || target.startsWith('..')) continue;
    if (ROOMS.indexOf(targetRoom) > ROOMS.indexOf(room)) {
      yield `src/${file}: ${room} stands above ${targetRoom} and must not import it`;
    } else if (target !== join(targetRoom, 'index.ts')) {
      yield `src/${file}: imports ${relative(targetRoom, target)} of ${targetRoom} past its index.ts`;
    }
  }
  for (const name of imports.get(file)?.packages ?? []) {
    const confinedTo = CONFINED[name];
    if (confinedTo !== undefined && confinedTo !== room) {
      yield `src/${file}: only ${confinedTo} may import ${name}`;
    }
  }
}

/**
 * A cycle that comes back to this file, told once: by the file of it whose name sorts first. Only imports that are
 * loaded with their file count: a table of what is loaded on demand has to name things that know the table.
 */
function* cycleThrough(file: string): Generator<string> {
  const seen = new Set<string>();
  const queue = [[file]];
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const target of imports.get(path.at(-1) ?? file)?.early ?? []) {
      if (target === file) {
        if (path.every((other) => other >= file)) yield `src/${[...path, file].join(' -> ')}: a cycle`;
        return;
      }
      if (seen.has(target)) continue;
      seen.add(target);
      queue.push([...path, target]);
    }
  }
}

function roomOf(file: string): string {
  return file.split(sep)[0] ?? '';
}
