import type { Ran } from './programs.ts';

/** What a program said, without the lines that tell how far it is: those come once a second, on a machine that is busy. */
export function messagesOf({ stderr }: Pick<Ran, 'stderr'>): string {
  return stderr.replace(/^.*: \d+%, .* of .*\n/gm, '');
}
