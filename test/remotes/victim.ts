// A process to be killed: `victim.ts push|pull STORE REMOTE` says that it is ready, waits for a line, pushes the ref of the
// series or pulls it, and says in how many milliseconds.
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { openStore } from '../../src/store/index.ts';
// So that no module is still to be loaded.
import { pull } from '../../src/store/remotes/pull.ts';
import { push } from '../../src/store/remotes/push.ts';
import { testOptions } from '../registry/scene.ts';
import { PIECE, REF } from './remote-scene.ts';

const [what, folder = '', remote = ''] = process.argv.slice(2);
const store = await openStore(folder, { create: false });
const registry = testOptions({ limits: { chunkSize: PIECE } });
// Written synchronously: what the other side has read has happened, whenever this process dies.
writeSync(1, `ready for ${push.name} or ${pull.name}\n`);
await once(process.stdin, 'data');
const began = performance.now();
if (what === 'push') await store.remotes.push(REF, remote, { registry });
else await store.remotes.pull(remote, { registry, ref: REF });
writeSync(1, `done ${performance.now() - began}\n`);
process.stdin.destroy();
