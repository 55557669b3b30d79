// A process to be killed: `driver.ts STORE SCRATCH KIND`. It does one operation of each kind in a store of its own, so that what
// is killed later is the operation and not the loading of modules; says so; then does what it is told on STORE.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openStore } from '../../src/store/index.ts';
import { type Operation, perform } from './operation.ts';

const [folder = '', scratch = '', kind = ''] = process.argv.slice(2);
const file = join(scratch, 'warm.raw');
await writeFile(file, 'warm');
await truncate(file, 1 << 20);
const warm = await openStore(join(scratch, 'store'));
await perform(warm, { kind: 'import', file, ref: 'warm' });
if (kind === 'commit' || kind === 'rm') {
  await warm.envs.create('warm', { name: 'warm' });
  {
    await using disk = await warm.envs.openDisk('warm', { writable: true });
    await disk.write(Buffer.from('warmer'), 0);
  }
  await perform(warm, { kind, env: 'warm' });
} else if (kind === 'gc') {
  await warm.versions.import(file, { ref: null, message: 'garbage' });
  await perform(warm, { kind });
} else if (kind === 'tag') {
  await perform(warm, { kind, ref: 'warmer', version: 'warm' });
}

const store = await openStore(folder);
const lines = createInterface(process.stdin);
// Written synchronously: what the other side has read has happened, whenever this process dies.
writeSync(1, 'ready\n');
const [line] = await once(lines, 'line');
const operation: Operation = JSON.parse(line);
const version = await perform(store, operation);
writeSync(1, `done ${version ?? ''}\n`);
lines.close();
