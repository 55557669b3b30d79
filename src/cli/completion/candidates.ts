import { Command, type Option } from 'commander';
import { declareVerb } from '../program.ts';
import type { Session } from '../session.ts';
import { findVerb, verbTable } from '../verb-table.ts';
import type { Candidate } from './candidate.ts';
import { namesOf } from './names.ts';

/** Tells the shell to complete file names itself. */
const FILES = ':files';

/**
 * What may stand in the place of the last word.
 *
 * @param words what was typed after `calve`, the unfinished last word included (empty after a space)
 */
export async function candidates(
  words: readonly string[],
  program: Command,
  session: Session,
): Promise<Candidate[]> {
  const current = words.at(-1) ?? '';
  const before = read(words.slice(0, -1), program);
  if (before.pending !== undefined) return valuesOf(before.pending, session, before.store);
  const entry = before.operands[0] === undefined ? undefined : findVerb(before.operands[0]);
  if (entry === undefined) {
    if (before.operands.length > 0) return [];
    return current.startsWith('-') ? optionsOf([program]) : listVerbs();
  }
  let command = new Command(entry.name);
  declareVerb(await entry.load(), command, session);
  let rest = read(words.slice(0, -1), program, command);
  const sub = command.commands.find((each) => each.name() === rest.operands[1]);
  const skip = sub === undefined ? 1 : 2;
  if (sub !== undefined) {
    command = sub;
    rest = read(words.slice(0, -1), program, command);
  }
  if (rest.pending !== undefined) return valuesOf(rest.pending, session, rest.store);
  if (current.startsWith('-')) return optionsOf([command, program]);
  if (command.commands.length > 0) {
    return command.commands.map((each) => ({ word: each.name(), note: each.summary() }));
  }
  const position = Math.min(rest.operands.length - skip, command.registeredArguments.length - 1);
  const argument = command.registeredArguments[position];
  if (argument === undefined || (rest.operands.length - skip > position && !argument.variadic)) return [];
  if (argument.argChoices !== undefined) return argument.argChoices.map((word) => ({ word }));
  return kindOf(argument.name(), session, rest.store, current);
}

interface Read {
  readonly operands: readonly string[];
  /** The option whose value comes next. */
  readonly pending: Option | undefined;
  readonly store: string | undefined;
}

/** Tells operands from options and their values. */
function read(words: readonly string[], ...commands: readonly Command[]): Read {
  const operands: string[] = [];
  let pending: Option | undefined;
  let store: string | undefined;
  for (const word of words) {
    if (pending !== undefined) {
      if (pending.long === '--store') store = word;
      pending = undefined;
    } else if (word.startsWith('--store=')) store = word.slice('--store='.length);
    else if (word.startsWith('-') && word !== '-') {
      const option = commands
        .flatMap((command) => command.options)
        .find((each) => each.short === word || each.long === word);
      // Of an option whose value may be left out, one is offered all the same.
      if (option?.required === true || option?.optional === true) pending = option;
    } else operands.push(word);
  }
  return { operands, pending, store };
}

function listVerbs(): Candidate[] {
  return verbTable
    .filter((entry) => entry.group !== undefined)
    .map((entry) => ({ word: entry.name, note: entry.summary }));
}

function optionsOf(commands: readonly Command[]): Candidate[] {
  const options = commands.flatMap((command) => command.options).filter((option) => !option.hidden);
  return options.flatMap((option) =>
    option.long == null ? [] : [{ word: option.long, note: option.description }],
  );
}

async function valuesOf(option: Option, session: Session, store: string | undefined): Promise<Candidate[]> {
  if (option.argChoices !== undefined) return option.argChoices.map((word) => ({ word }));
  return kindOf(/[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1] ?? '', session, store);
}

async function kindOf(
  kind: string,
  session: Session,
  store: string | undefined,
  current = '',
): Promise<Candidate[]> {
  if (kind === 'file' || kind === 'dir') return [{ word: FILES }];
  if (kind === 'command') return listVerbs();
  // Of `env|ref:path` the names are completed: what lies inside a disk would have to be read.
  const kinds = kind.replace(/\[?:path\]?$|\.+$/, '').split('|');
  // Beside names, files are offered once the word can mean nothing else.
  if (kinds.includes('file') && /^[./~]/.test(current)) return [{ word: FILES }];
  const further = kinds.includes('ref') && current.includes('@') ? ['moves', 'base'] : [];
  return namesOf([...kinds, ...further], session, store);
}
