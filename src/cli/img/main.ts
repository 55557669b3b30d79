#!/usr/bin/env node
/** The program `calve-img`, which speaks as qemu-img does; imports errors, bytes, host, disk, qcow2, img and nbd, each only when needed. */
import { basename } from 'node:path';
import { prepareProcess } from '../prepare-process.ts';

prepareProcess();
const { runProcess } = await import('./run-process.ts');
// By its own name the file was started by somebody who typed no program's.
const called = basename(process.argv[1] ?? '');
await runProcess(/^main\.[jt]s$/.test(called) ? 'calve-img' : called, process.argv.slice(2));
