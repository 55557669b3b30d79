#!/usr/bin/env node
/** The program `calve-img`, which speaks as qemu-img does; imports errors, bytes, host, disk, qcow2, img and nbd, each only when needed. */
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';

const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
enableCompileCache(join(cache, 'calve', 'compiled'));

const { runProcess } = await import('./run-process.ts');
// By its own name the file was started by somebody who typed no program's.
const called = basename(process.argv[1] ?? '');
await runProcess(/^main\.[jt]s$/.test(called) ? 'calve-img' : called, process.argv.slice(2));
