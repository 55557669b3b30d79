import type { Scenario } from './scenarios.ts';

/** Commands that leave the file as long, and its structures where they are, as QEMU does, in the form of `scenarios.ts`. */
export const layoutScenarios: readonly Scenario[] = [
  {
    name: 'layout: a bitmap that is added to another',
    lines: [
      'create -q -f qcow2 -o cluster_size=2M a 2T',
      'bitmap --add -g 512 a b0',
      'info -f raw a',
      'bitmap --add -g 2M a b1',
      'info -f raw a',
      'bitmap --remove a b0',
      'info -f raw a',
    ],
    images: ['a'],
  },
];
