#!/usr/bin/env node
/**
 * Owns the command line: parses, calls the store, prints; imports errors, bytes, host, nbd, guestfs, registry and store, and for
 * `calve img` disk, qcow2 and img; each only when needed.
 */
import { prepareProcess } from './prepare-process.ts';

prepareProcess();
const { dispatch } = await import('./dispatch.ts');
await dispatch(process.argv.slice(2));
