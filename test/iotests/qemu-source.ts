import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { succeed } from '../support/programs.ts';

const CACHE = process.env['CALVE_TEST_CACHE'] ?? join(homedir(), '.cache', 'calve-test');
const TESTS = join('tests', 'qemu-iotests');

/**
 * The unpacked source package of the QEMU that is installed, whose tests are run. `IOTESTS_SRC` names one that is there;
 * else it is taken by apt from where the machine's packages are, and kept beside the other fixtures.
 */
export async function qemuSource(): Promise<string> {
  const given = process.env['IOTESTS_SRC'];
  if (given !== undefined) {
    await stat(join(given, TESTS, 'check'));
    return given;
  }
  const version = await installedVersion();
  const folder = join(CACHE, 'qemu-source', version.replaceAll(/[^\w.+~-]/g, '_'));
  const unpacked = join(folder, 'qemu');
  if (await isThere(join(unpacked, TESTS, 'check'))) return unpacked;
  process.stderr.write(`taking the source package of QEMU ${version}\n`);
  await mkdir(folder, { recursive: true });
  const options = await sourceLists(folder);
  await succeed('/usr/bin/apt-get', [...options, 'update'], { cwd: folder });
  const download = ['source', '--download-only', `qemu=${version}`];
  await succeed('/usr/bin/apt-get', [...options, ...download], { cwd: folder });
  const description = (await readdir(folder)).find((name) => name.endsWith('.dsc'));
  if (description === undefined) throw new Error(`no source package in ${folder}`);
  const partial = join(folder, 'unpacking');
  await rm(partial, { recursive: true, force: true });
  await succeed('/usr/bin/dpkg-source', ['-x', description, partial], { cwd: folder });
  await rename(partial, unpacked);
  return unpacked;
}

/** Lists of apt's own that ask for sources, where the machine's may ask for programs alone; the machine's stay as they are. */
async function sourceLists(folder: string): Promise<string[]> {
  const parts = join(folder, 'sources');
  const lists = join(folder, 'lists');
  await rm(parts, { recursive: true, force: true });
  await mkdir(parts, { recursive: true });
  await mkdir(join(lists, 'partial'), { recursive: true });
  const main = '/etc/apt/sources.list';
  const further = '/etc/apt/sources.list.d';
  // Names that end otherwise are nothing to apt.
  const names = (await readdir(further).catch(() => [])).filter((name) => /\.(list|sources)$/.test(name));
  const files = names.map((name) => join(further, name));
  for (const [place, file] of [main, ...files].entries()) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const sources = text.replaceAll(/^Types:.*$/gm, 'Types: deb-src').replaceAll(/^deb\s/gm, 'deb-src ');
    await writeFile(join(parts, `${place}${file.endsWith('.sources') ? '.sources' : '.list'}`), sources);
  }
  await copyFile('/dev/null', join(folder, 'none'));
  const settings = {
    'Dir::Etc::sourcelist': join(folder, 'none'),
    'Dir::Etc::sourceparts': parts,
    'Dir::State::lists': lists,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Of the source package: without the number of a build that changed nothing in it. */
async function installedVersion(): Promise<string> {
  const told = await succeed('qemu-img', ['--version']);
  const version = /\(Debian (.+?)(?:\+b\d+)?\)/.exec(told)?.[1];
  if (version === undefined) throw new Error(`expected Debian's qemu-img, got ${told}`);
  return version;
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
