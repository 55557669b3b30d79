import { succeed } from '../test/support/programs.ts';
import { type Requests, seconds } from './requests.ts';

/** Makes requests of an image with `qemu-img bench`, which measures itself, start and end of the process left out. */
export async function qemuRequests(
  path: string,
  { count, depth, size, step }: Requests,
  options: readonly string[] = [],
): Promise<number> {
  const numbers = ['-c', `${count}`, '-d', `${depth}`, '-s', `${size}`, '-S', `${step}`];
  const printed = await succeed('qemu-img', ['bench', '-f', 'qcow2', ...numbers, ...options, path]);
  const [, found] = /completed in ([\d.]+) seconds/.exec(printed) ?? [];
  if (found === undefined) throw new Error(`qemu-img bench printed: ${printed}`);
  return Number(found);
}

/** Opens and closes an image so many times in one qemu-io, whose own start is a small part of that. */
export function qemuOpens(path: string, count: number, writable: boolean): Promise<number> {
  const input = `open ${writable ? '' : '-r '}-o driver=qcow2 ${path}\nclose\n`.repeat(count);
  return seconds(() => succeed('qemu-io', [], { input }));
}

/** How long a run of qemu-img takes, less what starting and ending it takes. */
export async function qemuImg(args: readonly string[]): Promise<number> {
  const idle = await seconds(() => succeed('qemu-img', ['--version']));
  const whole = await seconds(() => succeed('qemu-img', [...args]));
  return Math.max(whole - idle, 1e-6);
}
