import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** Understands what `Guestfish` says to tell where an answer ends; `run` and all else is the test's. */
const LOOP = `#!/bin/sh
while read -r line; do
  case "$line" in
    "echo "*) echo "\${line#echo }" ;;
    "-run") RUN ;;
    "-say "*) printf '%s\\n' "\${line#-say }" ;;
    "-flood") yes ;;
    "-fail "*) echo "*stdin*:1: libguestfs: error: \${line#-fail }" >&2 ;;
    "-die") echo "libguestfs: error: the appliance is gone" >&2; exit 1 ;;
    -*) echo "\${line#-}: unknown command" >&2 ;;
  esac
done
`;

/**
 * Puts a guestfish of ours ahead of any other in this process's PATH, until its scope ends.
 * @param folder that it is made in
 * @param run what it does to start its machine, in the shell's words
 */
export async function fakeGuestfish(
  folder: string,
  run: string,
): Promise<Disposable & { readonly path: string }> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  const program = join(bin, 'guestfish');
  await writeFile(
    program,
    LOOP.replace('RUN', () => run),
  );
  await chmod(program, 0o755);
  const before = process.env['PATH'] ?? '';
  const path = `${bin}${delimiter}${before}`;
  process.env['PATH'] = path;
  return {
    path,
    [Symbol.dispose]: () => {
      process.env['PATH'] = before;
    },
  };
}
