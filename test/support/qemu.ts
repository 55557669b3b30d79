import assert from 'node:assert/strict';
import { type Running, report, run, start, succeed } from './programs.ts';

/** Asserts that `qemu-img check` finds nothing to say about a qcow2 file: no error, no leak. */
export async function qemuImgCheck(path: string): Promise<void> {
  const ran = await run('qemu-img', ['check', '-f', 'qcow2', '--output', 'json', path]);
  assert.equal(ran.code, 0, report(ran));
  const found: unknown = JSON.parse(ran.stdout);
  assert.ok(typeof found === 'object' && found !== null);
  for (const kind of ['check-errors', 'corruptions', 'leaks']) {
    assert.ok(!(kind in found) || found[kind as keyof typeof found] === 0, report(ran));
  }
}

/** Asserts that two images hold the same bytes, as QEMU reads them. */
export async function qemuImgCompare(a: string, formatA: string, b: string, formatB: string): Promise<void> {
  const ran = await run('qemu-img', ['compare', '-f', formatA, '-F', formatB, a, b], { timeout: 300_000 });
  assert.equal(ran.code, 0, report(ran));
}

/** Runs qemu-io commands on an image; resolves to what it printed. qemu-io exits 0 on errors inside a command. */
export async function qemuIo(path: string, commands: string[], format = 'qcow2'): Promise<string> {
  const printed = await succeed('qemu-io', ['-f', format, ...commands.flatMap((one) => ['-c', one]), path]);
  assert.doesNotMatch(printed, /failed|error/i);
  return printed;
}

/** A QEMU program that has an image open, for writing, until `close`. */
export interface OpenImage extends AsyncDisposable {
  readonly pid: number;
  close(): Promise<void>;
}

/** Opens an image in qemu-io and resolves when QEMU has it open and locked. */
export function holdInQemuIo(path: string): Promise<OpenImage> {
  // A read of one sector is answered only by an image that was opened.
  return hold(start('qemu-io', ['-f', 'qcow2', path]), 'read 0 512', 'read 512/512');
}

/** Opens an image as the disk of a virtual machine that is not let run, and resolves when QEMU has it open and locked. */
export function holdInVm(path: string): Promise<OpenImage> {
  const args = ['-accel', 'tcg', '-m', '32', '-S', '-nodefaults', '-no-user-config', '-display', 'none'];
  const drive = `file=${path.replaceAll(',', ',,')},format=qcow2,if=virtio`;
  const running = start('qemu-system-x86_64', [...args, '-monitor', 'stdio', '-drive', drive]);
  return hold(running, 'info status', 'VM status: paused');
}

async function hold(running: Running, command: string, answer: string): Promise<OpenImage> {
  running.child.stdin?.write(`${command}\n`);
  await new Promise<void>((resolve, reject) => {
    running.child.stdout?.on('data', () => {
      if (running.stdout().includes(answer)) resolve();
    });
    running.ended.then((ran) => reject(new Error(report(ran))), reject);
  });
  const close = async () => {
    running.child.stdin?.end('quit\n');
    await running.ended;
  };
  return { pid: running.pid, close, [Symbol.asyncDispose]: close };
}
