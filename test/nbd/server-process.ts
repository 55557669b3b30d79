// Serves a qcow2 image for writing, with small caches: `server-process.ts IMAGE SOCKET`. Prints `ready`; ends when its
// standard input does, and tells then, as JSON, the most memory that it had, in KiB, and for
// how long it did not listen to anybody, in ms.
import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fixedExports, NbdServer } from '../../src/nbd/index.ts';
import { denyBacking, openQcow2 } from '../../src/qcow2/index.ts';
import { exported } from './served.ts';

const [image = '', path = ''] = process.argv.slice(2);
const disk = exported(() =>
  openQcow2(image, { writable: true, backing: denyBacking, tableBytes: 64 * 1024, clusterBytes: 1 << 20 }),
);
const server = new NbdServer({ exports: fixedExports([disk]) });
await server.listen({ path });
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
process.stdout.write('ready\n');
for await (const _ of process.stdin);
delay.disable();
await server.close();
const [, memory] = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
process.stdout.write(JSON.stringify({ memory: Number(memory), stoodStill: delay.max / 1e6 }));
