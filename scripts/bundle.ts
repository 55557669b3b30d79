// Writes the programs to dist/program/, each a small file and the parts that it loads when it needs them: decision 036.
import { join } from 'node:path';
import { build } from 'esbuild';
import { PROGRAMS } from './programs.ts';

await build({
  absWorkingDir: join(import.meta.dirname, '..'),
  entryPoints: PROGRAMS,
  outdir: 'dist/program',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node24',
});
