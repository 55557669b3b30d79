import { statFile } from '../host/index.ts';
import type { Descriptor, Digest } from '../oci/index.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import { DAY_MS } from './days.ts';
import { markForeign, markReachable, type Root } from './marks.ts';
import { refsOf } from './ref-index.ts';
import { refMoves } from './ref-log.ts';

/** How long what nothing needs is kept, and what a ref's history names, days. */
export interface Keeping {
  readonly graceDays: number;
  readonly historyDays: number;
}

/**
 * Every blob that something needs (invariant 4), and what that is: a ref, an env, the trash but for what is let go, a
 * ref's recent history, the grace of a version, and what other programs put into `index.json`.
 */
export async function neededBlobs(
  context: StoreContext,
  census: Census,
  options: Keeping & { readonly withoutTrash: ReadonlySet<string> },
): Promise<Map<Digest, string>> {
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
    ...recentHistory(context, options.historyDays),
    ...versionsInGrace(context, census, options.graceDays),
  ];
  const marked = await markReachable(context, roots);
  const ours = new Set<Digest>(refs.map((ref) => ref.version));
  const foreign = census.index.manifests.filter((descriptor: Descriptor) => !ours.has(descriptor.digest));
  for (const descriptor of foreign) await markForeign(context, descriptor, marked);
  return marked;
}

function* recentHistory(context: StoreContext, historyDays: number): Generator<Root> {
  const since = Date.now() - historyDays * DAY_MS;
  for (const move of refMoves(context)) {
    // In the order of time, but for a clock that was set back: so all are looked at.
    if (Date.parse(move.time) <= since) continue;
    for (const version of [move.from, move.to]) {
      if (version !== null) yield { version, from: `history of ${move.ref}`, lenient: true };
    }
  }
}

function* versionsInGrace(context: StoreContext, census: Census, graceDays: number): Generator<Root> {
  for (const version of census.manifests.keys()) {
    const since = sinceWhen(context, version);
    if (since === undefined || !isInGrace(since, graceDays)) continue;
    const until = new Date(since + graceDays * DAY_MS).toISOString();
    yield { version, from: `its grace, until ${until}`, lenient: true };
  }
}

/** When something let go of a blob last, or it was written: milliseconds; undefined for one that is not there. */
export function sinceWhen(context: StoreContext, blob: Digest): number | undefined {
  const stat = statFile(context.layout.blob(blob));
  return stat === undefined ? undefined : Number(stat.mtimeNs / 1_000_000n);
}

/** Whether what nothing needs since then is to be kept all the same. */
export function isInGrace(since: number, graceDays: number): boolean {
  return since > Date.now() - graceDays * DAY_MS;
}
