// Writes the programs to dist/program/, each a small file and the parts that it loads when it needs them: decision 036.
import { join } from 'node:path';
import { build } from 'esbuild';

await build({
  absWorkingDir: join(import.meta.dirname, '..'),
  entryPoints: {
    calve: 'src/cli/main.ts',
    'calve-img': 'src/cli/img/main.ts',
    'compress-worker': 'src/qcow2/compression/compress-worker.ts',
  },
  outdir: 'dist/program',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node24',
});
