import { relative } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type Census, takeCensus } from './census.ts';
import type { StoreContext } from './context.ts';
import { isEnvName } from './env-name.ts';
import type { FsckFindings } from './fsck-findings.ts';
import { refMoves } from './ref-log.ts';
import { listFolder } from './staging.ts';
import { parseTrashId } from './trash-entries.ts';

/** Reads every document but the configs, and tells of those that do not parse. */
export async function checkDocuments(context: StoreContext, findings: FsckFindings): Promise<Census> {
  const { layout } = context;
  const census = await takeCensus(context, (path, { message }) => {
    const where = relative(layout.folder, path);
    const [room, name = ''] = where.split('/');
    if (room === 'envs')
      findings.add({ kind: 'env-broken', where, message, hint: `calve rm --force ${name}` });
    else if (room === 'trash') findings.add({ kind: 'trash-broken', where, message, hint: moveAway(path) });
    else findings.add({ kind: 'document-broken', where, message, hint: hintOn(context, path) });
  });
  for (const id of await listFolder(layout.trash)) {
    if (parseTrashId(id) === undefined) {
      stray(findings, layout.trashed(id), `trash/${id}`, 'the name of an env and a time');
    }
  }
  for (const name of await listFolder(layout.envs)) {
    if (!isEnvName(name)) stray(findings, layout.env(name), `envs/${name}`, 'the name of an env');
  }
  checkLog(context, findings);
  return census;
}

/** Something that calve did not put there. */
export function stray(findings: FsckFindings, path: string, where: string, expected: string): void {
  const kind = where.startsWith('blobs/') ? 'blob-misnamed' : 'stray';
  findings.add({ kind, where, message: `${where}: expected ${expected}`, hint: moveAway(path) });
}

/** What a person does about what calve does not know. */
export function moveAway(path: string): string {
  return `mv '${path}' ELSEWHERE`;
}

function hintOn(context: StoreContext, path: string): string {
  const { index, refLog } = context.layout;
  if (path === index) return `bring back ${index} from a copy; ${refLog} says where each ref pointed`;
  // Its bytes are what its name says: no copy is better.
  return 'nothing mends it: calve untag and calve rm let go of what stands on it';
}

function checkLog(context: StoreContext, findings: FsckFindings): void {
  try {
    for (const _move of refMoves(context)) {
      // Each is parsed on the way.
    }
  } catch (error) {
    if (!(error instanceof CalveError)) throw error;
    const { refLog, folder } = context.layout;
    findings.add({
      kind: 'log-broken',
      where: relative(folder, refLog),
      message: error.message,
      // Refs do not need it; what it tells of is no longer kept from gc.
      hint: moveAway(refLog),
    });
  }
}
