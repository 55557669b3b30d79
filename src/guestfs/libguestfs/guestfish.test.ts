import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fakeGuestfish } from '../../../test/support/fake-guestfish.ts';
import { refused } from '../../../test/support/refused.ts';
import { type TemporaryFolder, temporaryFolder } from '../../../test/support/temporary.ts';
import { Guestfish } from './guestfish.ts';

const HANGS = 'sleep 1000';

async function start(folder: TemporaryFolder, signal?: AbortSignal): Promise<Guestfish> {
  await mkdir(folder.join('own'));
  return await Guestfish.start(folder.join('own'), 'xfs', signal);
}

test('answers, failures and the end of guestfish are told apart', async () => {
  await using folder = await temporaryFolder();
  using _ = await fakeGuestfish(folder.path, 'echo "qemu: warning: slow" >&2');
  await using fish = await start(folder);
  await fish.launch(10_000);
  const said = await Promise.all(['one', 'two'].map((word) => fish.command(['say', word])));
  assert.deepEqual(said.map(String), ['one\n', 'two\n']);
  await refused(
    fish.command(['fail', 'lstatns: /x: No such file or directory']),
    'not-found',
    /^lstatns: \/x/,
  );
  await refused(fish.command(['fail', 'Structure needs cleaning']), 'corrupt', /: Structure needs cleaning$/);
  await refused(fish.command(['say', 'x'.repeat(9000)]), 'unsupported', /9004 bytes/);
  assert.equal(String(await fish.command(['say', 'on'])), 'on\n');
  await refused(fish.command(['die']), 'io', /guestfish ended: the appliance is gone$/);
  await refused(fish.command(['say', 'on']), 'io', /guestfish ended/);
  await fish.close();
  assert.ok(!existsSync(folder.join('own')));
});

test('what gives too long an answer, does not start, or hangs is ended', async (t: TestContext) => {
  const cases: readonly [
    name: string,
    run: string,
    action: (fish: Guestfish, abort: () => void) => Promise<unknown>,
    expected: Parameters<typeof refused> extends [unknown, ...infer Rest] ? Rest : never,
  ][] = [
    [
      'floods',
      ':',
      (fish) => fish.command(['flood'], { most: 100_000 }),
      ['corrupt', /more than 100000 bytes/],
    ],
    [
      'fails',
      'printf "supermin: no kernel\\nlibguestfs: error: supermin failed\\n" >&2',
      (fish) => fish.launch(10_000),
      ['io', /cannot start: supermin: no kernel; supermin failed$/],
    ],
    ['hangs', HANGS, (fish) => fish.launch(50), ['io', /did not start within 0.05 s/]],
    [
      'aborted',
      HANGS,
      (fish, abort) => {
        setTimeout(abort, 50);
        return fish.launch(10_000);
      },
      ['aborted', /./],
    ],
  ];
  for (const [name, run, action, expected] of cases) {
    await t.test(name, async () => {
      await using folder = await temporaryFolder();
      using _ = await fakeGuestfish(folder.path, run);
      const controller = new AbortController();
      await using fish = await start(folder, controller.signal);
      const error = await refused(
        action(fish, () => controller.abort()),
        ...expected,
      );
      if (name === 'hangs') assert.match(error.hint ?? '', /LIBGUESTFS_BACKEND_SETTINGS=force_tcg/);
      await fish.close();
      assert.ok(!existsSync(folder.join('own')));
    });
  }
});

test('nothing is left when calve is killed', async () => {
  await using folder = await temporaryFolder();
  using fake = await fakeGuestfish(folder.path, `echo $$ >${folder.join('pid')}; ${HANGS}`);
  await mkdir(folder.join('own'));
  const module = fileURLToPath(new URL('guestfish.ts', import.meta.url));
  const script = folder.join('script.ts');
  await writeFile(
    script,
    `import { Guestfish } from ${JSON.stringify(module)};
     await (await Guestfish.start(${JSON.stringify(folder.join('own'))}, 'xfs', undefined)).launch(100_000);`,
  );
  const calve = spawn(process.execPath, [script], {
    env: { ...process.env, PATH: fake.path },
    stdio: 'inherit',
  });
  const hung = await until(async () => (await readFile(folder.join('pid'), 'utf8')).trim());
  assert.ok(existsSync(`/proc/${hung}`));
  calve.kill('SIGKILL');
  await once(calve, 'exit');
  await until(async () => assert.ok(!isAlive(await readFile(`/proc/${hung}/stat`, 'utf8').catch(() => ''))));
  await until(async () => assert.ok(!existsSync(folder.join('own'))));
});

function isAlive(stat: string): boolean {
  return stat !== '' && !/^\d+ \(.*\) Z/.test(stat);
}

/** Tries until it does not throw, and gives something. */
async function until<Value>(action: () => Promise<Value>): Promise<Value> {
  for (let tries = 0; ; tries += 1) {
    try {
      const value = await action();
      if (value !== '') return value;
    } catch (error) {
      if (tries > 200) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
