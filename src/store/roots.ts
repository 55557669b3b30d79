import { statFile } from '../host/index.ts';
import type { Descriptor, Digest } from '../oci/index.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import { markForeign, markReachable, type Root } from './marks.ts';
import { refsOf } from './ref-index.ts';
import { refMoves } from './ref-log.ts';

/** How long a ref's history is kept from gc. */
const HISTORY_DAYS = 14;
export const DAY_MS: number = 24 * 60 * 60 * 1000;

/**
 * Every blob that something needs (invariant 4): a ref, an env, the trash but for what is let go, a ref's recent
 * history, a version younger than the grace, and what other programs put into `index.json`.
 */
export async function neededBlobs(
  context: StoreContext,
  census: Census,
  options: { readonly withoutTrash: ReadonlySet<string>; readonly graceMs: number },
): Promise<Set<Digest>> {
  const refs = refsOf(census.index);
  const roots: Root[] = [
    ...refs.map(({ name, version }) => ({ version, from: `ref ${name}`, lenient: false })),
    ...[...census.envs].map(([name, { version }]) => ({
      version,
      from: `environment ${name}`,
      lenient: false,
    })),
    ...[...census.trash]
      .filter(([id]) => !options.withoutTrash.has(id))
      .map(([id, { version }]) => ({ version, from: `trash ${id}`, lenient: false })),
    ...recentHistory(context),
    ...youngVersions(context, census, options.graceMs),
  ];
  const marked = await markReachable(context, roots);
  const ours = new Set<Digest>(refs.map((ref) => ref.version));
  const foreign = census.index.manifests.filter((descriptor: Descriptor) => !ours.has(descriptor.digest));
  for (const descriptor of foreign) await markForeign(context, descriptor, marked);
  return marked;
}

function* recentHistory(context: StoreContext): Generator<Root> {
  const since = Date.now() - HISTORY_DAYS * DAY_MS;
  for (const move of refMoves(context)) {
    // In the order of time, but for a clock that was set back: so all are looked at.
    if (Date.parse(move.time) < since) continue;
    for (const version of [move.from, move.to]) {
      if (version !== null) yield { version, from: `history of ${move.ref}`, lenient: true };
    }
  }
}

function* youngVersions(context: StoreContext, census: Census, graceMs: number): Generator<Root> {
  for (const version of census.manifests.keys()) {
    if (isYoung(context, version, graceMs)) yield { version, from: `version ${version}`, lenient: true };
  }
}

/** Whether a blob was written within the grace. */
export function isYoung(context: StoreContext, blob: Digest, graceMs: number): boolean {
  const stat = statFile(context.layout.blob(blob));
  return stat !== undefined && Number(stat.mtimeNs / 1_000_000n) > Date.now() - graceMs;
}
