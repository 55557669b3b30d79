import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { CommandLine } from './calve.ts';
import { report } from './programs.ts';

const TELL = new URL('tell-cpu-time.ts', import.meta.url).href;

/** What something took, in milliseconds. */
export interface Cost {
  /** Of all its threads: hardly changed by what else the machine does. */
  readonly cpu: number;
  readonly wall: number;
}

/** Runs a command, which must exit 0, and tells what the whole process took, its start included. */
export async function costOfCommand(calve: CommandLine, args: string[]): Promise<Cost> {
  const file = `${calve.store}.cpu-time`;
  const env = { NODE_OPTIONS: `--import ${TELL}`, CPU_TIME_FILE: file };
  const began = performance.now();
  const ran = await calve.run(args, { env });
  const wall = performance.now() - began;
  assert.equal(ran.code, 0, report(ran));
  return { cpu: Number(await readFile(file, 'utf8')), wall };
}

/** What a piece of work in this process takes. */
export async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const before = process.cpuUsage();
  const began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { cpu: (user + system) / 1000, wall: performance.now() - began };
}
