/** What may differ between this program's output and that of Debian's qemu-img, each with its reason. */
export const ALLOWED: readonly {
  readonly pattern: RegExp;
  readonly becomes: string;
  readonly reason: string;
}[] = [
  {
    pattern: /^disk size: .*$/gm,
    becomes: 'disk size: SIZE',
    reason: 'QEMU fills the clusters of its structures with zeros, which are holes here',
  },
  {
    pattern: /"actual-size": \d+/g,
    becomes: '"actual-size": SIZE',
    reason: 'as is the disk size for people',
  },
  {
    pattern: /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g,
    becomes: 'UUID',
    reason: 'a LUKS header has a random one',
  },
  {
    pattern: /("?(?:master-key-|master key )?iters"?: )\d+/g,
    becomes: '$1COUNT',
    reason: 'measured anew each time',
  },
  {
    pattern: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g,
    becomes: 'DATE',
    reason: 'snapshots are made one after the other',
  },
  {
    pattern: /(WARNING: Image format was not specified[\s\S]*?restrictions\.\n)\1/g,
    becomes: '$1',
    reason: 'QEMU opens anew what a raw image lies in before it says that there are no snapshots in it',
  },
  {
    pattern: /(persistent in '|persistent bitmaps to )[^':]+/g,
    becomes: '$1NODE',
    reason: 'QEMU tells the number that it has made up for a node; the name of the file says more',
  },
  {
    pattern: /(?: {4}\([\d.]+\/100%\)\r)+(\nImage committed)/g,
    becomes: '    PROGRESS\r$1',
    reason: 'how often QEMU tells how far a commit has come depends on the time it takes',
  },
  {
    pattern: /Run completed in [\d.]+ seconds/g,
    becomes: 'Run completed in TIME seconds',
    reason: 'measured anew each time',
  },
  { pattern: /("date-n?sec": )\d+/g, becomes: '$1TIME', reason: 'as is the date for people' },
];

/** An output without what may differ. */
export function alike(output: string): string {
  return ALLOWED.reduce((text, { pattern, becomes }) => text.replace(pattern, becomes), output);
}
