import { printable } from './printable.ts';

/** The first line of a message, safe to show. */
export function firstLine(message: string): string {
  return printable(message.trimStart().split('\n', 1)[0] ?? '');
}
