import { relative } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type Census, takeCensus } from './census.ts';
import type { StoreContext } from './context.ts';
import type { FsckFindings } from './fsck-findings.ts';
import { refMoves } from './ref-log.ts';
import { listFolder } from './staging.ts';
import { parseTrashId } from './trash-entries.ts';
import type { FsckProblem } from './types.ts';

/** Reads every document but the configs, and tells of those that do not parse. */
export async function checkDocuments(context: StoreContext, findings: FsckFindings): Promise<Census> {
  const place = (path: string): string => relative(context.layout.folder, path);
  const census = await takeCensus(context, (path, error) => {
    findings.add(kindOf(place(path)), place(path), error.message);
  });
  for (const id of await listFolder(context.layout.trash)) {
    if (parseTrashId(id) === undefined) {
      findings.add('stray', `trash/${id}`, `trash/${id}: expected the name of an env and a time`);
    }
  }
  checkLog(context, findings);
  return census;
}

function checkLog(context: StoreContext, findings: FsckFindings): void {
  try {
    for (const _move of refMoves(context)) {
      // Each is parsed on the way.
    }
  } catch (error) {
    if (!(error instanceof CalveError)) throw error;
    findings.add('log-broken', 'logs/refs.jsonl', error.message);
  }
}

function kindOf(place: string): FsckProblem['kind'] {
  if (place.startsWith('envs/')) return 'env-broken';
  return place.startsWith('trash/') ? 'trash-broken' : 'document-broken';
}
