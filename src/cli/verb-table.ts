import type { Verb } from './verb.ts';

/** What is known of a verb before its file is loaded. */
export interface VerbEntry {
  readonly name: string;
  readonly alias?: string;
  /** One line, for `calve --help`. */
  readonly summary: string;
  /** The heading under which `calve --help` lists it; none: not listed. */
  readonly group?: string;
  /** `--store` may be said without a folder, and means all that is in it. */
  readonly takesWholeStore?: true;
  readonly load: () => Promise<Verb>;
}

const BEGIN = 'Begin:';
const ENVIRONMENTS = 'Environments:';
const VERSIONS = 'Versions:';
const REMOTES = 'Remotes:';
const STORE = 'The store:';
const MORE = 'More:';

/** Every verb, in the order of `calve --help`. */
export const verbTable: readonly VerbEntry[] = [
  {
    name: 'init',
    summary: 'make a store',
    group: BEGIN,
    load: async () => (await import('./verbs/init.ts')).init,
  },
  {
    name: 'import',
    summary: 'make a version of a disk image',
    group: BEGIN,
    load: async () => (await import('./verbs/import.ts')).importImage,
  },
  {
    name: 'adopt',
    summary: 'bring in a folder of images and overlays',
    group: BEGIN,
    load: async () => (await import('./verbs/adopt.ts')).adopt,
  },
  {
    name: 'demo',
    summary: 'see the main job from end to end in a temporary store',
    group: BEGIN,
    load: async () => (await import('./demo.ts')).demo,
  },
  {
    name: 'new',
    summary: 'take a disposable environment from a version',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/new.ts')).newEnv,
  },
  {
    name: 'ls',
    alias: 'ps',
    summary: 'list environments',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/ls.ts')).ls,
  },
  {
    name: 'status',
    summary: 'show what an environment has not committed',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/status.ts')).status,
  },
  {
    name: 'commit',
    summary: 'make a version of what an environment changed',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/commit.ts')).commit,
  },
  {
    name: 'reset',
    summary: "drop an environment's changes",
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/reset.ts')).reset,
  },
  {
    name: 'cp',
    summary: 'copy files out of a disk, or into an environment',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/cp.ts')).cp,
  },
  {
    name: 'rm',
    summary: 'remove environments, through the trash',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/rm.ts')).rm,
  },
  {
    name: 'path',
    summary: 'print the file that QEMU opens',
    group: ENVIRONMENTS,
    load: async () => (await import('./verbs/path.ts')).path,
  },
  {
    name: 'images',
    summary: 'list refs and the versions they name',
    group: VERSIONS,
    load: async () => (await import('./verbs/images.ts')).images,
  },
  {
    name: 'log',
    summary: 'show the history of a version, or of refs',
    group: VERSIONS,
    load: async () => (await import('./verbs/log.ts')).log,
  },
  {
    name: 'show',
    alias: 'inspect',
    summary: 'show one version or environment, whole',
    group: VERSIONS,
    load: async () => (await import('./verbs/show.ts')).show,
  },
  {
    name: 'diff',
    summary: 'compare two versions or environments',
    group: VERSIONS,
    load: async () => (await import('./verbs/diff.ts')).diff,
  },
  {
    name: 'files',
    summary: 'list files inside a disk',
    group: VERSIONS,
    load: async () => (await import('./verbs/files.ts')).files,
  },
  {
    name: 'cat',
    summary: 'print a file inside a disk',
    group: VERSIONS,
    load: async () => (await import('./verbs/cat.ts')).cat,
  },
  {
    name: 'tag',
    summary: 'name a version',
    group: VERSIONS,
    load: async () => (await import('./verbs/tag.ts')).tag,
  },
  {
    name: 'untag',
    summary: 'remove the name of a version',
    group: VERSIONS,
    load: async () => (await import('./verbs/untag.ts')).untag,
  },
  {
    name: 'protect',
    summary: 'keep refs where they are',
    group: VERSIONS,
    load: async () => (await import('./verbs/protect.ts')).protect,
  },
  {
    name: 'unprotect',
    summary: 'let protected refs move again',
    group: VERSIONS,
    load: async () => (await import('./verbs/unprotect.ts')).unprotect,
  },
  {
    name: 'export',
    summary: 'write a version or environment as one flat file',
    group: VERSIONS,
    load: async () => (await import('./verbs/export.ts')).exportDisk,
  },
  {
    name: 'nbd',
    summary: 'serve disks, or the whole store, over NBD',
    group: VERSIONS,
    takesWholeStore: true,
    load: async () => (await import('./verbs/nbd.ts')).nbd,
  },
  {
    name: 'push',
    summary: 'bring a version to a registry or another store',
    group: REMOTES,
    load: async () => (await import('./verbs/push.ts')).push,
  },
  {
    name: 'pull',
    summary: 'bring a version from a registry or another store',
    group: REMOTES,
    load: async () => (await import('./verbs/pull.ts')).pull,
  },
  {
    name: 'remote',
    summary: 'list what a registry or another store has',
    group: REMOTES,
    load: async () => (await import('./verbs/remote.ts')).remote,
  },
  {
    name: 'login',
    summary: 'keep credentials for a registry',
    group: REMOTES,
    load: async () => (await import('./verbs/login.ts')).login,
  },
  {
    name: 'logout',
    summary: 'forget credentials for a registry',
    group: REMOTES,
    load: async () => (await import('./verbs/logout.ts')).logout,
  },
  {
    name: 'df',
    summary: 'account for space',
    group: STORE,
    load: async () => (await import('./verbs/df.ts')).df,
  },
  {
    name: 'trash',
    summary: 'list, restore or delete what was removed',
    group: STORE,
    load: async () => (await import('./verbs/trash.ts')).trash,
  },
  {
    name: 'gc',
    summary: 'delete what nothing needs',
    group: STORE,
    load: async () => (await import('./verbs/gc.ts')).gc,
  },
  {
    name: 'fsck',
    summary: 'verify every byte of the store',
    group: STORE,
    load: async () => (await import('./verbs/fsck.ts')).fsck,
  },
  {
    name: 'config',
    summary: "get and set the store's settings",
    group: STORE,
    load: async () => (await import('./verbs/config.ts')).config,
  },
  {
    name: 'img',
    summary: 'do what qemu-img does, with its options and its output',
    group: MORE,
    load: async () => (await import('./verbs/img.ts')).img,
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    group: MORE,
    load: async () => (await import('./verbs/completion.ts')).completion,
  },
  {
    name: 'help',
    summary: 'explain a command, with an example',
    group: MORE,
    load: async () => (await import('./verbs/help.ts')).help,
  },
  {
    name: '__complete',
    summary: 'candidates for the completion scripts',
    load: async () => (await import('./verbs/complete.ts')).complete,
  },
];

/** The entry whose name or alias was typed. */
export function findVerb(typed: string): VerbEntry | undefined {
  return verbTable.find((entry) => entry.name === typed || entry.alias === typed);
}
