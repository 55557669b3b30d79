// Brings the outside programs that the tests use: by apt where this process may install, else it says what to install.
import { spawnSync } from 'node:child_process';
import { findProgram, PACKAGES } from '../test/support/programs.ts';

const missing = [
  ...new Set(
    Object.entries(PACKAGES)
      .filter(([program]) => findProgram(program) === undefined)
      .map(([, name]) => name),
  ),
];
if (missing.length > 0) process.exitCode = install(missing);

function install(packages: string[]): number {
  const command = ['apt-get', 'install', '-y', '--no-install-recommends', ...packages];
  const may = process.getuid?.() === 0 || spawnSync('sudo', ['-n', 'true']).status === 0;
  if (!may || findProgram('apt-get') === undefined) {
    process.stderr.write(`The tests need programs that this machine does not have. Install them with:\n`);
    process.stderr.write(`  sudo ${command.join(' ')}\n`);
    return 1;
  }
  process.stderr.write(`installing ${packages.join(', ')}\n`);
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  for (const step of [['apt-get', 'update'], command]) {
    const [program = '', ...args] = [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', ...step];
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) return 1;
  }
  return 0;
}
