#!/usr/bin/env node
/** Owns the command line: parses, calls the store, prints; imports errors, bytes and store, each only when a verb needs it. */
import { run } from './run.ts';

await run(process.argv.slice(2));
