import { checkQcow2 } from '../../src/qcow2/index.ts';
import { succeed } from '../../test/support/programs.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { qemuImg } from '../qemu.ts';
import { seconds } from '../requests.ts';

const CLUSTER = 65_536;

/** Checks of whole images. */
export function checkCases(scene: BenchScene): BenchCase[] {
  const clusters = scene.short ? 100_000 : 1_000_000;
  const path = scene.join('check.qcow2');
  return [
    {
      name: `check of ${clusters.toLocaleString('en')} clusters`,
      amount: clusters,
      unit: 'ops',
      prepare: async () => {
        const size = String(clusters * CLUSTER);
        await succeed('qemu-img', [
          'create',
          '-q',
          '-f',
          'qcow2',
          '-o',
          'preallocation=metadata',
          path,
          size,
        ]);
      },
      calve: () => seconds(() => checkQcow2(path)),
      peer: () => qemuImg(['check', '-q', '-f', 'qcow2', path]),
    },
  ];
}
