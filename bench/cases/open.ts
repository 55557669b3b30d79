import { createQcow2, followBacking, openQcow2 } from '../../src/qcow2/index.ts';
import type { BenchCase, BenchScene } from '../bench-case.ts';
import { MIB, makeChain } from '../images.ts';
import { qemuOpens } from '../qemu.ts';
import { seconds } from '../requests.ts';

/** Opening and closing images. */
export function openCases(scene: BenchScene): BenchCase[] {
  const scale = scene.short ? 1 : 10;
  const empty = scene.join('empty.qcow2');
  let chain = '';
  const of = (
    name: string,
    path: () => string,
    writable: boolean,
    count: number,
    prepare: () => Promise<void>,
  ) => ({
    name: `open ${name}`,
    amount: count,
    unit: 'ops' as const,
    prepare,
    calve: () =>
      seconds(async () => {
        for (let opened = 0; opened < count; opened += 1) {
          const disk = await openQcow2(path(), { writable, backing: followBacking() });
          await disk.close();
        }
      }),
    peer: () => qemuOpens(path(), count, writable),
  });
  const makeEmpty = () => createQcow2(empty, { size: 1024 * MIB, sync: false });
  const makeLayers = async () => {
    chain = await makeChain(scene, 16 * MIB);
  };
  return [
    of('one image to read', () => empty, false, 100 * scale, makeEmpty),
    of(
      'one image to write',
      () => empty,
      true,
      100 * scale,
      async () => {},
    ),
    of('a chain of 10 to read', () => chain, false, 20 * scale, makeLayers),
  ];
}
