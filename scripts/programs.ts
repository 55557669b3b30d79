/** The programs in dist/program/, by name, with the source that each begins with. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  calve: 'src/cli/main.ts',
  'calve-img': 'src/cli/img/main.ts',
  'compress-worker': 'src/qcow2/compression/compress-worker.ts',
};
