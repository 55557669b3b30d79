import { CalveError } from '../../errors/index.ts';
import type { EnvStatus } from '../../store/index.ts';
import { askFor } from '../ask.ts';
import type { Session } from '../session.ts';
import { type KeptPath, parseKeptPath } from './kept-path.ts';

/** What a person chose for an environment with changes. */
export type Fate =
  | { readonly kind: 'keep' }
  | { readonly kind: 'trash' }
  /** Committed first; then it goes to the trash, as with `copy`. */
  | { readonly kind: 'commit'; readonly message: string | undefined; readonly ref: string | undefined }
  | { readonly kind: 'copy'; readonly paths: readonly KeptPath[] };

const KEEP: Fate = { kind: 'keep' };

/**
 * Asks on the terminal what is to become of an environment that holds what is saved in no version. Whatever is no clear
 * choice keeps it.
 *
 * @param lost what it holds, in words
 * @param status undefined when its base cannot be read: then nothing can be committed or copied out
 */
export async function chooseFate(
  session: Session,
  name: string,
  lost: string,
  status: EnvStatus | undefined,
): Promise<Fate> {
  const isReadable = status !== undefined;
  const saving = isReadable ? 'commit it (c), copy files out first (o), ' : '';
  const letters = isReadable ? 'c/o/t/N' : 't/N';
  const question = `${name} holds ${lost}: ${saving}move it to the trash (t), or keep it? [${letters}] `;
  const answer = (await askFor(session, question))?.toLowerCase();
  if (answer === 't' || answer === 'trash') return { kind: 'trash' };
  if (status === undefined) return KEEP;
  if (answer === 'c' || answer === 'commit') return askForCommit(session, status);
  if (answer === 'o' || answer === 'out') return askForPaths(session);
  return KEEP;
}

/** A version that no name leads to would go with the environment: where the commit moves none, one is asked for. */
async function askForCommit(session: Session, { ref, refMoved }: EnvStatus): Promise<Fate> {
  const message = await askFor(session, 'what changed? ');
  if (message === null) return KEEP;
  const hasRef = ref !== null && !refMoved;
  const name = hasRef ? undefined : await askFor(session, 'a name for the version (NAME:TAG)? ');
  if (name === null || name === '') return KEEP;
  return { kind: 'commit', message: message === '' ? undefined : message, ref: name };
}

async function askForPaths(session: Session): Promise<Fate> {
  const paths: KeptPath[] = [];
  for (;;) {
    const more = paths.length === 0 ? '/var/log:./logs; nothing keeps the environment' : 'nothing goes on';
    const word = await askFor(session, `what, and where to (${more})? `);
    if (word === null) return KEEP;
    if (word === '') return paths.length === 0 ? KEEP : { kind: 'copy', paths };
    try {
      paths.push(parseKeptPath(word));
    } catch (error) {
      if (!CalveError.is(error, 'usage')) throw error;
      session.output.warn(error.message);
    }
  }
}
