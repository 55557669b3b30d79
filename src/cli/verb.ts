import type { Command } from 'commander';
import type { Session } from './session.ts';

/** A command line to copy, and what it does. */
interface Example {
  /** As typed, from `calve` on. */
  readonly line: string;
  /** What it does, in a few words. */
  readonly does: string;
}

/**
 * What a file in `verbs/` exports. It is loaded only when its verb was typed (or asked about).
 *
 * An argument's name says what completes it: `env`, `ref`, `env|ref`, `env|ref:path`, `id` (trash), `file`, `dir`, `command`; any other, nothing.
 */
export interface Verb {
  /** At least one; `calve help VERB` shows them. */
  readonly examples: readonly Example[];
  /** Declares arguments, options and the action on the verb's own command. */
  declare(command: Command, session: Session): void;
}
