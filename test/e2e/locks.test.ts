import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type CommandLine, commandLine } from '../support/calve.ts';
import { imageLocks, untilLocked } from '../support/image-locks.ts';
import { report, run } from '../support/programs.ts';
import { holdInQemuIo, holdInVm, qemuImgCheck, qemuIo } from '../support/qemu.ts';
import { type TemporaryFolder, temporaryFolder } from '../support/temporary.ts';

async function storeWithEnv(
  folder: TemporaryFolder,
  size: number,
): Promise<{ calve: CommandLine; env: string }> {
  const calve = commandLine(folder.join('store'));
  const raw = folder.join('disk.raw');
  await writeFile(raw, 'a small disk');
  await truncate(raw, size);
  await calve.ok('import', raw, 'small');
  await calve.ok('new', 'small', 'work');
  return { calve, env: await calve.ok('path', 'work') };
}

for (const [program, hold] of [
  ['qemu-io', holdInQemuIo],
  ['qemu-system-x86', holdInVm],
] as const) {
  test(`while ${program} has the environment open, commit, rm and reset refuse and name it`, async () => {
    await using folder = await temporaryFolder();
    const { calve, env } = await storeWithEnv(folder, 1 << 20);
    await qemuIo(env, ['write -P 9 0 64k']);
    {
      await using open = await hold(env);
      for (const verb of ['commit', 'rm', 'reset']) {
        const said = await calve.refuses(verb, 'work');
        assert.match(said, new RegExp(`\\b${open.pid}\\b`), said);
        assert.ok(said.includes(program), said);
      }
      // A removal that is forced skips the trash, not the lock.
      assert.match(await calve.refuses('rm', '--force', 'work'), new RegExp(`\\b${open.pid}\\b`));
    }
    await qemuIo(env, ['read -P 9 0 64k']);
    await calve.ok('commit', 'work', '-m', 'nines');
    await calve.ok('fsck');
  });
}

test('while calve commits, QEMU and a second calve are refused, and afterwards they are not', async (t) => {
  await using folder = await temporaryFolder();
  const { calve, env } = await storeWithEnv(folder, 256 << 20);
  const noise = folder.join('noise');
  await writeFile(noise, randomBytes(128 << 20));
  await qemuIo(env, [`write -s ${noise} 0 128M`]);

  const commit = calve.start(['commit', 'work', '-m', 'noise']);
  const over = new AbortController();
  commit.ended.finally(() => over.abort());
  await untilLocked(env, over.signal);
  commit.child.kill('SIGSTOP');
  try {
    assert.equal(commit.child.exitCode, null, 'the commit was over before it was stopped');
    t.diagnostic(`byte locks that the stopped commit holds: ${await imageLocks(env)}`);
    const write = await run('qemu-io', ['-f', 'qcow2', '-c', 'write 0 512', env]);
    assert.equal(write.code, 1, report(write));
    assert.match(write.stderr, /Failed to get ".*" lock/, report(write));
    for (const verb of ['commit', 'rm', 'reset']) {
      const said = await calve.refuses(verb, 'work');
      assert.match(said, new RegExp(`\\b${commit.pid}\\b`), said);
    }
  } finally {
    commit.child.kill('SIGCONT');
  }
  const ran = await commit.ended;
  assert.equal(ran.code, 0, report(ran));

  await qemuIo(env, ['write -P 3 0 64k']);
  await qemuImgCheck(env);
  await calve.ok('commit', 'work', '-m', 'threes');
  await calve.ok('fsck');
});
