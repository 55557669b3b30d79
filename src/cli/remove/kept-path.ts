import { CalveError } from '../../errors/index.ts';
import type { Session } from '../session.ts';

/** A path in the guest, and where on the host it is copied to before its environment is removed. */
export interface KeptPath {
  readonly path: string;
  readonly destination: string;
}

/** @throws CalveError `usage` */
export function parseKeptPath(word: string): KeptPath {
  const colon = word.lastIndexOf(':');
  if (!word.startsWith('/') || colon < 1 || colon === word.length - 1) {
    throw new CalveError('usage', `expected a path in the guest and one on the host, got ${word}`, {
      hint: '/var/log:./logs',
    });
  }
  return { path: word.slice(0, colon), destination: word.slice(colon + 1) };
}

/**
 * Copies out what is to be kept.
 * @throws CalveError when any of it could not be: then nothing is to be removed
 */
export async function copyKept(
  session: Session,
  name: string,
  paths: readonly KeptPath[],
  partition: string | undefined,
): Promise<void> {
  if (paths.length === 0) return;
  const { copyFromGuest } = await import('../copy/copy-from-guest.ts');
  const { tellCopy } = await import('../copy/tell-copy.ts');
  for (const { path, destination } of paths) {
    const copies = await copyFromGuest(session, {
      name,
      paths: [path],
      destination,
      partition,
      durable: true,
    });
    for (const report of copies) {
      tellCopy(session.output, `${name}:${path}`, destination, report);
      if (report.failedCount === 0 && report.skippedCount === 0) continue;
      throw new CalveError('io', `${name} was not removed: not all of ${path} could be copied out`, {
        hint: `calve cp ${name}:${path} ${destination}, then calve rm ${name}`,
      });
    }
  }
}
