// The server that the cases of `nbd` measure: `nbd-server.ts SOCKET IMAGE FORMAT read|write`. Says `ready`; ends with its standard input.
import { openRawDisk } from '../src/disk/index.ts';
import { fixedExports, NbdServer } from '../src/nbd/index.ts';
import { followBacking, openQcow2 } from '../src/qcow2/index.ts';

const [path = '', image = '', format = '', access = ''] = process.argv.slice(2);
const writable = access === 'write';
const server = new NbdServer({
  exports: fixedExports([
    {
      ...{ name: '', description: '', readOnly: !writable, fastZeroes: true },
      open: () =>
        format === 'raw'
          ? openRawDisk(image, { writable })
          : openQcow2(image, { writable, backing: followBacking() }),
    },
  ]),
});
await server.listen({ path });
process.stdout.write('ready\n');
for await (const _ of process.stdin);
await server.close();
