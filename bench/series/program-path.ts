import { findProgram } from '../../test/support/programs.ts';

/** Programs that only this bench runs, which the tests therefore do not install, with the Debian package of each. */
const PACKAGES = {
  restic: 'restic',
  borg: 'borgbackup',
  casync: 'casync',
  sync: 'coreutils',
  fio: 'fio',
  'virt-diff': 'guestfs-tools linux-image-cloud-amd64',
} as const;

/**
 * The full path of a program of the bench.
 * @throws when it is missing, naming the package to install
 */
export function programPath(program: keyof typeof PACKAGES): `/${string}` {
  const path = findProgram(program);
  if (path?.startsWith('/')) return path as `/${string}`;
  throw new Error(`${program} is missing: apt-get install --no-install-recommends ${PACKAGES[program]}`);
}
