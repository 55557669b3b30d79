import { formatBytes } from '../../bytes/index.ts';
import type { AdoptedImage, AdoptReport, Compression } from '../../store/index.ts';
import { compressionOption } from '../compression-option.ts';
import { count } from '../count.ts';
import { printable } from '../printable.ts';
import { type Column, formatTable } from '../table.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly dryRun?: boolean;
  readonly follow?: boolean;
  readonly compression?: Compression;
  readonly json?: boolean;
}

/** `calve adopt DIR` */
export const adopt: Verb = {
  examples: [
    { line: 'calve adopt --dry-run ~/vms', does: 'show what stands on what, and what it would become' },
    { line: 'calve adopt ~/vms', does: 'bases become versions, overlays environments' },
  ],
  declare: (command, session) => {
    command
      .argument('<dir>', 'a folder; the images in it are only read')
      .option('--dry-run', 'only show what would be done')
      .option('--follow', 'also take what images name outside of the folder; for images that are trusted')
      .addOption(compressionOption())
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (folder: string, { json, ...options }: Options) => {
        const { output, signal } = session;
        const store = await session.openStore({ create: true });
        const report = await output.during(folder, (onProgress) =>
          store.adopt(folder, { ...options, signal, onProgress }),
        );
        const refused = report.images.filter((image) => image.state === 'refused');
        if (refused.length > 0) session.exitCode = 1;
        for (const warning of warningsOf(report)) output.warn(printable(warning));
        if (json === true) return output.printJson(report);
        if (output.quiet) return output.printNames(namesOf(report));
        output.printTable(formatTable(columns(report.images), report.images));
        output.say(summary(report, refused.length));
      });
  },
};

/** An image stands under the one that it stands on, further in. */
function columns(images: readonly AdoptedImage[]): Column<AdoptedImage>[] {
  const depths = new Map<string, number>();
  for (const { file, base } of images) depths.set(file, base === null ? 0 : (depths.get(base) ?? 0) + 1);
  return [
    { title: 'FILE', cell: ({ file }) => `${'  '.repeat(depths.get(file) ?? 0)}${file}` },
    { title: 'BECOMES', cell: ({ becomes, ref, env }) => [becomes, env ?? ref ?? ''].join(' ').trimEnd() },
    { title: 'STATE', cell: ({ state }) => state },
    {
      title: 'STORED',
      align: 'right',
      cell: ({ state, storedBytes }) => (state === 'adopted' ? formatBytes(storedBytes) : '-'),
    },
  ];
}

function warningsOf({ images, warnings }: AdoptReport): string[] {
  const said = images.flatMap(({ file, error, warnings: own }) => {
    if (error === null) return own;
    return [`refused ${file}: ${error.message}${error.hint === null ? '' : `; hint: ${error.hint}`}`];
  });
  return [...warnings, ...said];
}

/** The refs and envs that hold what was found. */
function namesOf({ images }: AdoptReport): { readonly name: string }[] {
  return images.flatMap(({ ref, env, state }) => {
    const name = env ?? ref;
    return name === null || state === 'refused' ? [] : [{ name }];
  });
}

function summary({ images, dryRun }: AdoptReport, refused: number): string {
  const said = (state: string): number => images.filter((image) => image.state === state).length;
  const known = said('known');
  const done = dryRun ? `${said('planned')} would be adopted` : `${said('adopted')} adopted`;
  return `${count(images.length, 'image')}: ${done}, ${known} known before, ${refused} refused`;
}
