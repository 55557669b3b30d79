import { CalveError } from '../../errors/index.ts';
import { parseGuestTarget } from '../guest-target.ts';
import type { Verb } from '../verb.ts';
import { withGuestTree } from '../with-guest-tree.ts';

/** Bytes that are read at a time. */
const PIECE = 1 << 20;

/** `calve cat ENV|REF:PATH` */
export const cat: Verb = {
  examples: [
    { line: 'calve cat debian:12:/etc/os-release', does: 'a file of a version' },
    {
      line: 'calve cat quiet-otter:/var/log/syslog > syslog',
      does: 'one of an environment that is not running',
    },
    { line: 'calve cat -p 3 quiet-otter:/notes.txt', does: 'from partition 3' },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref:path>', 'an environment or a version, a colon, and the path of a file inside')
      .option(
        '-p, --partition <partition>',
        'the number, label or UUID of the partition, or GROUP/NAME of a logical volume',
      )
      .action(async (word: string, options: { partition?: string }) => {
        const { name, path } = parseGuestTarget(word);
        if (path === undefined) {
          throw new CalveError('usage', `expected ENV:/path or REF:/path, got ${word}`, {
            hint: `calve files ${word} lists what is there`,
          });
        }
        await withGuestTree(session, name, options.partition, async ({ tree }) => {
          const inode = await tree.lookup(path);
          if (inode.type !== 'file') {
            throw new CalveError('usage', `${word} is no file but a ${inode.type}`, {
              ...(inode.type === 'directory' ? { hint: `calve files ${word}` } : {}),
            });
          }
          const buffer = Buffer.allocUnsafe(Math.min(PIECE, Math.max(inode.size, 1)));
          for (let at = 0; at < inode.size; ) {
            session.signal.throwIfAborted();
            const length = await tree.read(inode, at, buffer);
            await session.output.write(buffer.subarray(0, length));
            at += length;
          }
        });
      });
  },
};
