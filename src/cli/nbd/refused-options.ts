import { type Command, Option } from 'commander';
import { CalveError } from '../../errors/index.ts';

/** Options of qemu-nbd that would mean nothing here, or something else, and why. */
const REFUSED: ReadonlyMap<string, { readonly why: string; readonly hint?: string }> = new Map([
  [
    '-c, --connect <device>',
    {
      why: 'a kernel device is made by a program for that, as root',
      hint: 'calve nbd -t -k SOCKET …, then: nbd-client -unix SOCKET /dev/nbd0',
    },
  ],
  [
    '-d, --disconnect <device>',
    { why: 'a kernel device is ended by what made it', hint: 'nbd-client -d /dev/nbd0' },
  ],
  [
    '-s, --snapshot',
    {
      why: 'an environment is that already: what is written to it never reaches its version',
      hint: 'calve new REF',
    },
  ],
  [
    '-o, --offset <bytes>',
    {
      why: 'disks are served whole',
      hint: 'clients have an offset of their own: nbdkit --filter=offset nbd',
    },
  ],
  ['-n, --nocache', { why: 'files are read and written through the page cache, as with --cache=writeback' }],
  ['--cache <mode>', { why: 'files are read and written through the page cache, as with --cache=writeback' }],
  ['--aio <mode>', { why: 'calve has one way of reading and writing' }],
  ['--discard <mode>', { why: 'what clients discard is given back, as with --discard=unmap' }],
  ['--detect-zeroes <mode>', { why: 'what clients write is written as it is, as with --detect-zeroes=off' }],
  ['--image-opts', { why: 'FILE is a path', hint: '--format and --chain say what else there is to say' }],
  ['--tls-authz <id>', { why: 'whoever has a certificate of your authority is let in' }],
  ['--selinux-label <label>', { why: 'the label of the process is set by what starts it', hint: 'runcon' }],
  ['-T, --trace <pattern>', { why: 'there is nothing to trace', hint: '--verbose tells of clients' }],
]);

/** Declares them, hidden, so that who is used to them is told why. */
export function declareRefused(command: Command): void {
  for (const flags of REFUSED.keys()) command.addOption(new Option(flags).hideHelp());
}

/** @throws CalveError `usage` when one was said */
export function refuseRefused(command: Command): void {
  for (const [flags, { why, hint }] of REFUSED) {
    const option = command.options.find((each) => each.flags === flags);
    if (option === undefined || command.getOptionValue(option.attributeName()) === undefined) continue;
    throw new CalveError('usage', `${option.long} is not there: ${why}`, hint === undefined ? {} : { hint });
  }
}
