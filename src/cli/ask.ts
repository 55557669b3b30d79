import { createInterface } from 'node:readline/promises';
import type { Session } from './session.ts';

/** Whether there is a person to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks a yes-or-no question on the terminal; anything but yes is no. `-y` answers yes.
 * Without a terminal the answer is `otherwise`: the safe choice.
 */
export async function ask(session: Session, question: string, otherwise: boolean): Promise<boolean> {
  if (session.globals.yes === true) return true;
  if (!canAsk()) return otherwise;
  const answer = await askFor(session, `${question} [y/N] `);
  return answer !== null && /^y(es)?$/i.test(answer);
}

/** Asks on the terminal for a line; null at its end (Ctrl-D). Spaces around it are left out. */
export async function askFor(session: Session, question: string): Promise<string | null> {
  // Not in terminal mode: then Ctrl-C comes as SIGINT to the process, as during any other work.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const ended = new Promise<null>((resolve) => lines.once('close', () => resolve(null)));
  try {
    const answer = await Promise.race([lines.question(question, { signal: session.signal }), ended]);
    // Ctrl-D leaves the cursor behind the question.
    if (answer === null) process.stderr.write('\n');
    return answer === null ? null : answer.trim();
  } finally {
    lines.close();
  }
}
