import type { Scenario } from './scenarios.ts';

/** What images become, as `scenarios.ts` does it for all commands. */
export const amendScenarios: readonly Scenario[] = [
  {
    name: 'a bitmap that is added to another leaves the file as long',
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
  {
    name: 'amend: version 3 comes ahead of a size that version 2 could not have',
    lines: [
      '$ qemu-img create -q -f qcow2 -o compat=0.10 a 32M; qemu-img snapshot -c x a',
      'amend -f qcow2 -o size=128M a',
      'amend -f qcow2 -o compat=1.1,size=128M a',
      'amend -f qcow2 -o compat=0.10 a',
      'amend -f qcow2 -o compat=0.10,size=32M a',
      'snapshot -l a',
    ],
    images: ['a'],
  },
  {
    name: 'amend: the name of a data file goes, and refcounts get the room that they lack',
    lines: [
      '$ qemu-img create -q -f qcow2 -o data_file=data a 1M',
      'amend -f qcow2 -o data_file= a',
      'info -f qcow2 --image-opts driver=qcow2,file.filename=a,data-file.filename=data',
      '$ qemu-img create -q -f qcow2 -o refcount_bits=1 b 1M; qemu-io -c "write 0 64k" b',
      // A second entry leads to the first cluster.
      '$ dd if=b of=b bs=1 skip=262144 seek=262152 count=8 conv=notrunc status=none',
      'check b',
      'amend -f qcow2 -o refcount_bits=-1 b',
      'amend -f qcow2 -o refcount_bits=18446744073709551616 b',
      'amend -f qcow2 -o refcount_bits=2 b',
      'info b',
    ],
  },
];
