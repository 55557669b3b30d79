import { rm } from 'node:fs/promises';
import { runImg } from '../../src/cli/img/run-img.ts';
import { run, succeed } from '../../test/support/programs.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, makeRaw } from '../images.ts';
import { qemuImg } from '../qemu.ts';
import { seconds } from '../requests.ts';

const CLUSTER = 65_536;

/** Whole commands as they are typed, the start of the program left out on both sides. */
export function imgCases(scene: BenchScene): BenchCase[] {
  const size = (scene.short ? 128 : 1024) * MIB;
  const overlay = scene.join('overlay.qcow2');
  const paths = {
    base: scene.join('base.raw'),
    other: scene.join('other.qcow2'),
    plain: scene.join('plain.qcow2'),
  };
  const of = (
    name: string,
    words: readonly string[],
    reset: () => Promise<void> = async () => {},
    prepare: () => Promise<void> = async () => {},
  ): BenchCase => ({
    name: `img-${name}`,
    amount: 1,
    unit: 'ops',
    prepare,
    calve: async () => {
      await reset();
      return seconds(() => byUs(words));
    },
    peer: async () => {
      await reset();
      return qemuImg(words);
    },
  });
  return [
    of(
      'commit',
      ['commit', '-q', overlay],
      () => makeOverlay(paths.base, 'raw', overlay, size),
      () => makeAll(paths, size),
    ),
    of('rebase', ['rebase', '-b', paths.other, '-F', 'qcow2', overlay], () =>
      makeOverlay(paths.base, 'raw', overlay, size),
    ),
    of('check', ['check', '-q', paths.plain]),
    of(
      'compare',
      ['compare', '-q', paths.base, paths.plain],
      async () => {},
      async () => {
        await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', paths.base, paths.plain]);
      },
    ),
    of('map', ['map', '--output=json', paths.plain]),
    of('create', ['create', '-q', '-f', 'qcow2', scene.join('new.qcow2'), '10G']),
  ];
}

async function byUs(words: readonly string[]): Promise<void> {
  const complaints: string[] = [];
  const code = await runImg(words, {
    program: 'calve-img',
    print: () => {},
    complain: (text) => complaints.push(text),
    signal: new AbortController().signal,
  });
  if (code !== 0) throw new Error(complaints.join(''));
}

async function makeAll(
  { base, other, plain }: { readonly base: string; readonly other: string; readonly plain: string },
  size: number,
): Promise<void> {
  await makeRaw(base, size);
  await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', base, plain]);
  await succeed('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', base, other]);
  // A tenth of the other base is another.
  await writeEvery(other, 'qcow2', size, 10, 1);
}

/** An overlay with every fifth cluster of the disk. */
async function makeOverlay(base: string, format: string, overlay: string, size: number): Promise<void> {
  await rm(overlay, { force: true });
  await succeed('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', format, overlay]);
  await writeEvery(overlay, 'qcow2', size, 5, 0);
  await run('/bin/sync', [overlay]);
}

async function writeEvery(
  image: string,
  format: string,
  size: number,
  step: number,
  first: number,
): Promise<void> {
  const lines: string[] = [];
  for (let at = first * CLUSTER; at < size; at += step * CLUSTER)
    lines.push(`write -q -P 7 ${at} ${CLUSTER}`);
  await succeed('qemu-io', ['-f', format, image], { input: `${lines.join('\n')}\n` });
}
