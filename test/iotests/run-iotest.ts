import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestTree } from './test-tree.ts';

/** How a test ended. */
export interface IotestResult {
  readonly result: 'passed' | 'failed' | 'skipped';
  /** In a line. */
  readonly why: string;
  /** What the test said. */
  readonly output: string;
  readonly seconds: number;
}

/**
 * Runs one test of QEMU's in a folder of its own, and ends what it leaves running.
 * @param limit seconds
 */
export async function runIotest(
  name: string,
  { tests, environment }: TestTree,
  folder: string,
  limit: number,
): Promise<IotestResult> {
  const mark = `CALVE_IOTEST=${randomUUID()}`;
  const [images, sockets, temporary] = ['t', 's', 'tmp'].map((each) => join(folder, each));
  for (const each of [images, sockets, temporary]) {
    await rm(each ?? '', { recursive: true, force: true });
    await mkdir(each ?? '');
  }
  const { PATH = '', HOME = '', USER = 'root' } = process.env;
  const [markName = '', markValue = ''] = mark.split('=');
  const started = performance.now();
  const child = spawn(
    process.env['IOTESTS_PYTHON'] ?? '/usr/bin/python3',
    ['check', '--color', 'off', '-qcow2', name],
    {
      cwd: tests,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH,
        HOME,
        USER,
        LANG: 'C',
        LC_ALL: 'C',
        TERM: 'dumb',
        PYTHONDONTWRITEBYTECODE: '1',
        ...environment,
        TEST_DIR: images,
        SOCK_DIR: sockets,
        TMPDIR: temporary,
        [markName]: markValue,
      },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }, limit * 1000);
  await new Promise((resolve, reject) => child.on('error', reject).on('exit', resolve));
  clearTimeout(timer);
  await endLeftovers(mark);
  const seconds = (performance.now() - started) / 1000;
  if (isLate) return { result: 'failed', why: `more than ${limit} s`, output, seconds };
  return { ...judge(name, output), output, seconds };
}

/** By the line that `check` writes of a test: `049   pass   [10:00:00] [10:00:01]   1.0s   why`. */
function judge(name: string, output: string): Pick<IotestResult, 'result' | 'why'> {
  const lines = output.replaceAll('\r', '\n').split('\n');
  const pattern = /^(\S+)\s+(pass|fail|not run)\s+\[[\d:]+\] \[[\d:]+\]\s*\S*\s*(.*)$/;
  const [, , verdict = 'fail', why = `check ended without a word of ${name}`] =
    lines.map((line) => pattern.exec(line)).find((match) => match !== null) ?? [];
  if (verdict === 'pass') return { result: 'passed', why: '' };
  if (verdict === 'not run') return { result: 'skipped', why };
  const changed = lines.filter((line) => /^[-+](?!--|\+\+)/.test(line)).length;
  return { result: 'failed', why: `${why.replace(/ \(see .*\)/, '')}; ${changed} lines differ` };
}

/** Daemons of a test outlive it; each has the mark in its environment. */
async function endLeftovers(mark: string): Promise<void> {
  for (const id of await readdir('/proc')) {
    if (!/^\d+$/.test(id)) continue;
    const environment = await readFile(join('/proc', id, 'environ'), 'utf8').catch(() => '');
    if (!environment.split('\0').includes(mark)) continue;
    try {
      process.kill(Number(id), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}
