import { createInterface } from 'node:readline/promises';
import { CalveError } from '../errors/index.ts';
import type { Session } from './session.ts';

/** Asks for a line of text on the terminal; without the white space around it. */
export async function askText(session: Session, question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const ended = new Promise<null>((resolve) => lines.once('close', () => resolve(null)));
  try {
    const answer = await Promise.race([lines.question(question, { signal: session.signal }), ended]);
    if (answer === null) throw nothingSaid();
    return answer.trim();
  } finally {
    lines.close();
  }
}

const ENTER = ['\r', '\n'];
const CTRL_C = '\x03';
const CTRL_D = '\x04';
const BACKSPACE = ['\x7f', '\b'];

/** Asks for a line of text that the terminal does not show. */
export async function askSecret(session: Session, question: string): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(question);
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  try {
    let typed = '';
    for await (const piece of stdin.iterator({ destroyOnReturn: false })) {
      session.signal.throwIfAborted();
      for (const key of String(piece)) {
        if (ENTER.includes(key)) return typed;
        if (key === CTRL_D && typed === '') throw nothingSaid();
        // A raw terminal leaves it to us.
        if (key === CTRL_C) process.kill(process.pid, 'SIGINT');
        else if (BACKSPACE.includes(key)) typed = typed.slice(0, -1);
        else typed += key;
      }
    }
    throw nothingSaid();
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

function nothingSaid(): CalveError {
  return new CalveError('usage', 'nothing was typed');
}
