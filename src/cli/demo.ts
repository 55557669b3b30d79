import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { formatBytes } from '../bytes/index.ts';
import { CalveError } from '../errors/index.ts';
import { changeInside } from './demo/change-inside.ts';
import { checkWithQemu } from './demo/check-with-qemu.ts';
import { unpackDemoDisk } from './demo/demo-disk.ts';
import { flipByte } from './demo/flip-byte.ts';
import type { Session } from './session.ts';
import type { Verb } from './verb.ts';

/** `calve demo [FILE]`: every command that it prints is run, by the same code that runs it when typed. */
export const demo: Verb = {
  examples: [
    { line: 'calve demo', does: 'with a small server disk that comes along' },
    { line: 'calve demo debian.qcow2', does: 'with a disk of your own, which is only read' },
  ],
  declare: (command, session) => {
    command
      .argument('[file]', 'a raw or qcow2 image (default: a small ext4 disk that comes along)')
      .action(async (file: string | undefined) => {
        const folder = await mkdtemp(join(tmpdir(), 'calve-demo-'));
        // The demo's store, for every command below; the person's own stays as it is.
        process.env['CALVE_STORE'] = join(folder, 'store');
        try {
          await play(session, file === undefined ? await unpackDemoDisk(folder) : resolve(file));
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      });
  },
};

async function play(session: Session, file: string): Promise<void> {
  const begun = performance.now();
  const { output } = session;
  const stage = new Stage(session);
  stage.tell('A store of its own, which goes away at the end.');
  output.print(`$ export CALVE_STORE=${process.env['CALVE_STORE']}`);

  stage.tell(
    'A known good disk becomes a version. It is stored compressed, named by its hash, and never written again.',
  );
  await stage.type('import', file, 'app:1.0', '-m', 'known good');

  stage.tell(
    'Two disposable environments of it. Each is a qcow2 file that any QEMU boots, and holds only what changes.',
  );
  await stage.type('new', 'app:1.0', 'work');
  await stage.type('new', 'app:1.0', 'scratch');
  await stage.type('path', 'work', '--drive');

  const store = await session.openStore();
  stage.tell(`A guest would write now; here the library does: ${await changeInside(store, 'work')}`);
  await stage.type('ls');
  await stage.type('status', 'work');

  stage.tell('Worth keeping: the difference becomes a version, and gets a name of its own.');
  await stage.type('commit', 'work', '-m', 'a note inside', '-t', 'app:1.1');
  await stage.type('log', 'app:1.1');
  await stage.type('diff', 'app:1.0', 'app:1.1');
  await stage.type('images');
  await stage.type('df');

  stage.tell('Every file is plain qcow2: nothing but QEMU is needed to read it.');
  output.print('$ qemu-img check $(calve path work)');
  output.print((await checkWithQemu(await store.envs.path('work'))) ?? '# (qemu-img is not installed here)');

  stage.tell(
    'Now somebody writes into the base, under everybody who stands on it: one byte, the times put back.',
  );
  const base = await store.versions.path('app:1.0');
  const putBack = await flipByte(base);
  output.print(`# one byte of ${base} is another one now`);
  await stage.type('new', 'app:1.0', 'another', { fails: true });
  await stage.type('fsck', { fails: true });
  stage.tell('Refused before anything was built on it. With the right byte back, all is well again.');
  await putBack();
  await stage.type('fsck');

  stage.tell('The other environment is thrown away; the trash keeps it for a while.');
  await stage.type('rm', 'scratch');
  await stage.type('trash', 'ls');
  await stage.type('ls');

  const [version] = await Array.fromAsync(store.versions.log('app:1.1', { limit: 1 }));
  const stored = version?.layers.reduce((sum, layer) => sum + layer.size, 0) ?? 0;
  stage.tell(
    `Done in ${((performance.now() - begun) / 1000).toFixed(1)} s: two versions of a disk of ` +
      `${formatBytes(version?.size ?? 0)} in ${formatBytes(stored)}. Yours begins with: calve import DISK NAME`,
  );
}

/** Where commands are typed in front of the person. */
class Stage {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** A word before the next commands. */
  tell(words: string): void {
    const { output } = this.#session;
    output.print('');
    output.print(output.colors.dim(`# ${words}`));
  }

  /** Prints a command line and runs it. One that does not end as expected ends the demo. */
  async type(...typed: readonly (string | { readonly fails: boolean })[]): Promise<void> {
    const { output, signal } = this.#session;
    const words = typed.filter((word) => typeof word === 'string');
    const fails = typed.some((word) => typeof word !== 'string' && word.fails);
    signal.throwIfAborted();
    output.print(`${output.colors.bold('$')} calve ${words.map(quoted).join(' ')}`);
    const exitCode = await this.#session.run(words);
    signal.throwIfAborted();
    if (fails) output.print(`# exit code ${exitCode}`);
    if ((exitCode !== 0) !== fails) {
      const expected = fails ? 'be refused' : 'exit with 0';
      throw new CalveError(
        'io',
        `calve ${words.join(' ')}: expected it to ${expected}, got exit code ${exitCode}`,
      );
    }
  }
}

/** A word as a shell wants it typed. */
function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
