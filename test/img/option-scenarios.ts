import type { Scenario } from './scenarios.ts';

/** Options by all their names, in the form of `scenarios.ts`. */
export const optionScenarios: readonly Scenario[] = [
  {
    name: 'options by their long names',
    lines: [
      '$ qemu-img create -q a.raw 1M; qemu-io -f raw -c "write -P 1 64k 64k" a.raw; sync a.raw',
      '$ qemu-img convert -f raw -O qcow2 a.raw a; qemu-img create -q -f qcow2 -b a -F qcow2 b; qemu-img snapshot -c one a',
      ...['amend -o lazy_refcounts=on', 'check', 'map'].map(
        (command) => `${command} --object secret,id=s,data=x a`,
      ),
      'bench --force-share -c 10 a',
      ...['check', 'info', 'map'].flatMap((command) => [
        `${command} -f qcow2 a`,
        `${command} --format qcow2 a`,
        `${command} --format=raw a`,
        `${command} -U a`,
        `${command} --force-share a`,
      ]),
      'check --repair leaks a',
      'check --repair=all a',
      'compare --force-share a a.raw',
      'convert --force-share a c.raw',
      'compare a c.raw',
      'dd --force-share if=a of=d.raw bs=64k',
      'compare a d.raw',
      'measure --force-share -O qcow2 a',
      'snapshot --force-share -l a',
      'rebase --force-share -b a.raw -F raw b',
      'compare b a.raw',
      'bitmap --add --granularity 64k a b0',
      'bitmap --add --granularity=128k a b1',
      'bitmap --merge b0 --source-file a --source-format qcow2 a b1',
      'bitmap --merge b0 --source-file a a b1',
    ],
    images: ['a', 'b'],
  },
  {
    name: 'map by a metadata context of an NBD server',
    lines: [
      '$ qemu-img create -q -f qcow2 base 4M; qemu-io -c "write 3M 1M" base; qemu-img create -q -f qcow2 -b base -F qcow2 top; qemu-img bitmap --add top changes; qemu-io -c "write 0 1M" top',
      '$ qemu-nbd --fork --persistent --read-only --pid-file=pid -k "$PWD/s" -f qcow2 -A -B changes top',
      ...['qemu:allocation-depth', 'qemu:dirty-bitmap:changes', 'base:allocation', 'nope'].map(
        (context) =>
          `map --output=json --image-opts driver=nbd,server.type=unix,server.path=s,x-dirty-bitmap=${context}`,
      ),
      '$ kill "$(cat pid)"',
    ],
  },
];
