import type { Duplex } from 'node:stream';

/** How long is waited, after all was sent, for the other side to close, milliseconds. */
const LINGER_MS = 1000;

/**
 * Ends a connection in such a way that what was sent arrives: a socket that is closed with something unread in it takes
 * back what the other side has not read yet.
 * @param milliseconds until the other side has to have taken what was written
 */
export async function farewell(socket: Duplex, milliseconds: number): Promise<void> {
  if (socket.destroyed) return;
  await new Promise<void>((resolve) => {
    let timer = setTimeout(resolve, milliseconds);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    socket.once('close', done);
    socket.end(() => {
      clearTimeout(timer);
      if (socket.readableEnded) return done();
      socket.once('end', done).resume();
      timer = setTimeout(done, LINGER_MS);
    });
  });
  socket.destroy();
}
