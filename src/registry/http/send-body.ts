import type { ClientRequest, IncomingMessage } from 'node:http';
import { CalveError } from '../../errors/index.ts';
import type { RequestBody } from './message.ts';

/**
 * Sends a body, no faster than the other side takes it, and stops where an answer comes before its end.
 *
 * @param answer settles when there is an answer, or will be none
 * @param onMoved called whenever the kernel took something
 * @throws CalveError `changed` when the body has another length than it said; what opening and reading the body throws
 */
export async function sendBody(
  request: ClientRequest,
  body: RequestBody,
  answer: Promise<IncomingMessage>,
  onMoved: () => void,
): Promise<void> {
  let over = false;
  let wake = (): void => {};
  const end = (): void => {
    over = true;
    wake();
  };
  answer.then(end, end);
  request.on('drain', () => wake());

  let sent = 0;
  for await (const piece of body.open()) {
    if (over) return;
    sent += piece.length;
    if (sent > body.length) throw otherLength(body.length, 'more');
    if (!request.write(piece)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (over) resolve();
      });
    }
    if (over) return;
    onMoved();
    body.onSent?.(piece.length);
  }
  if (sent < body.length) throw otherLength(body.length, String(sent));
  request.end();
}

function otherLength(expected: number, got: string): CalveError {
  return new CalveError('changed', `what is sent changed: expected ${expected} bytes to send, got ${got}`);
}
