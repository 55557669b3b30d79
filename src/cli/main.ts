#!/usr/bin/env node
/**
 * Owns the command line: parses, calls the store, prints; imports errors, bytes, host, nbd, guestfs, registry and store, and for
 * `calve img` disk, qcow2 and img; each only when needed.
 */
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Node keeps what it compiled for the next start: a fifth of the time, from the sources two thirds. Not in the shared
// /tmp, which is Node's own choice: what lies there is run.
const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
enableCompileCache(join(cache, 'calve', 'compiled'));

const { dispatch } = await import('./dispatch.ts');
await dispatch(process.argv.slice(2));
