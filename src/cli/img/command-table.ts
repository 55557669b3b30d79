import type { ImgCommand } from './img-context.ts';

/** The subcommands by name, each loaded when it is typed; in the order of `--help`. */
export const imgCommands: Readonly<Record<string, () => Promise<ImgCommand>>> = {
  amend: async () => (await import('./commands/amend.ts')).amend,
  bench: async () => (await import('./commands/bench.ts')).bench,
  bitmap: async () => (await import('./commands/bitmap.ts')).bitmap,
  check: async () => (await import('./commands/check.ts')).check,
  commit: async () => (await import('./commands/commit.ts')).commit,
  compare: async () => (await import('./commands/compare.ts')).compare,
  convert: async () => (await import('./commands/convert.ts')).convert,
  create: async () => (await import('./commands/create.ts')).create,
  dd: async () => (await import('./commands/dd.ts')).dd,
  info: async () => (await import('./commands/info.ts')).info,
  map: async () => (await import('./commands/map.ts')).map,
  measure: async () => (await import('./commands/measure.ts')).measure,
  rebase: async () => (await import('./commands/rebase.ts')).rebase,
  snapshot: async () => (await import('./commands/snapshot.ts')).snapshot,
  resize: async () => (await import('./commands/resize.ts')).resize,
};
