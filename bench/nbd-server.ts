// The server that the cases of `nbd` measure: `nbd-server.ts SOCKET IMAGE FORMAT read|write`. Says `ready`; ends with its standard input.
// The image stays open, whoever comes and goes, as with `calve nbd --persistent IMAGE` and `qemu-nbd --persistent`.
import { diskExport, fixedExports, NbdServer, openImageFile } from '../src/nbd/index.ts';

const [path = '', image = '', given = '', access = ''] = process.argv.slice(2);
const writable = access === 'write';
const format = given === 'raw' ? 'raw' : 'qcow2';
await using disk = await openImageFile(image, { format, writable, chain: true });
await using server = new NbdServer({
  exports: fixedExports([await diskExport(disk, { readOnly: !writable, fastZeroes: true })]),
});
await server.listen({ path });
process.stdout.write('ready\n');
for await (const _ of process.stdin);
