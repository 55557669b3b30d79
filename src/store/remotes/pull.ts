import { CalveError } from '../../errors/index.ts';
import { type Digest, isDigest, shortDigest } from '../../oci/index.ts';
import type { StoreContext } from '../context.ts';
import { letGoOf } from '../let-go.ts';
import { locked, settled } from '../locking.ts';
import { checkUnprotected, moveRef, now } from '../move-ref.ts';
import type { PullOptions } from '../options.ts';
import { readVersionIfThere, versionInfo } from '../read-version.ts';
import { readIndex, versionOfRef } from '../ref-index.ts';
import { parseRefName } from '../ref-name.ts';
import { newId, openStaging, type Staging } from '../staging.ts';
import type { LayerInfo, PullResult } from '../types.ts';
import { verifyThere } from '../verify-there.ts';
import { isAncestor, type ParentsOf } from './ancestry.ts';
import { checkChains } from './check-chains.ts';
import { openSource } from './open-source.ts';
import { promisedLayers, recordPromise } from './promises.ts';
import { publishReceived, stageReceived } from './publish-received.ts';
import { type ReceivedVersion, receiveHistory, receiveVersion } from './receive-history.ts';
import { countOf, isMissing, layersOf, receiveLayers } from './receive-layers.ts';
import { appendRemoteMove } from './remote-log.ts';
import { parseRemote, type RemoteName } from './remote-name.ts';
import { TransferWatch } from './transfer-watch.ts';
import type { VersionSource } from './version-source.ts';

/**
 * Brings a version from a remote, with its history, and moves a ref to it. The layers of its chain come; those that only
 * older versions need come when they are used (`promised/`). All that comes is checked before any of it is in place, the ref
 * moves last, and what came before a transfer was cut off is gone on from.
 */
export async function pull(context: StoreContext, text: string, options: PullOptions): Promise<PullResult> {
  const remote = parseRemote(text);
  const ref = options.ref === undefined ? refOf(remote) : options.ref;
  const name = ref === null ? null : parseRefName(ref);
  await settled(context);
  await using source = await openSource(remote, name, options);
  // Understood from any folder: promises are kept.
  return await receive(context, source, { ...options, ref: name, remote: source.name, command: 'pull' });
}

/** `HOST/team/debian:12` becomes `debian:12`; of a version that was named by its digest nothing. */
function refOf(remote: RemoteName): string | null {
  if (remote.kind === 'folder') return remote.ref !== null && isDigest(remote.ref) ? null : remote.ref;
  const { repository, tag = 'latest', digest } = remote.reference;
  return digest === undefined ? `${repository.slice(repository.lastIndexOf('/') + 1)}:${tag}` : null;
}

/** How a version is received. */
export interface ReceiveOptions extends Omit<PullOptions, 'ref'> {
  /** Full name. */
  readonly ref: string | null;
  /** What the logs call the other side. */
  readonly remote: string;
  /** Who wants it: this store, or the other one. */
  readonly command: 'pull' | 'push';
}

/** Takes in what a source has: a version, its history, its layers; and moves a ref. */
export async function receive(
  context: StoreContext,
  source: VersionSource,
  options: ReceiveOptions,
): Promise<PullResult> {
  const { depth = Number.POSITIVE_INFINITY, all = false, signal } = options;
  const versions = await receiveHistory(context, source, depth, { signal });
  const [tip] = versions.map(({ document }) => document);
  if (tip === undefined) throw new TypeError('the version itself is received, or it is an error');
  await checkChains(context, versions);
  const move = new RefMove(context, source, versions, options);
  // A ref that may not move is told of before gigabytes come.
  await move.decide();

  const complete = all ? versions.map(({ document }) => document) : [tip];
  const chains = layersOf(complete);
  const wanted = chains.filter(({ layer }) => isMissing(context, layer));
  const own = new Set(chains.map(({ layer }) => layer.digest));
  const later = layersOf(versions.map(({ document }) => document))
    .map(({ layer }) => layer)
    .filter(({ digest }) => !own.has(digest));
  const watch = new TransferWatch(
    options.command === 'push' ? 'sending' : 'fetching',
    wanted.map(({ layer }) => layer),
    options,
  );
  await using staging = await openStaging(context);
  const staged = await stageReceived(staging, versions);
  let moved = 0;
  for (;;) {
    const { layers, moved: count } = await receiveLayers(context, source, wanted, watch);
    moved += count;
    const previous = await locked(
      context,
      async () => {
        await promise(context, staging, options, later);
        if (!(await publishReceived(context, layers, staged))) return undefined;
        await verifyThere(context, tip);
        return { version: await move.make(staging, tip, options) };
      },
      signal,
    );
    if (previous === undefined) continue;
    return {
      remote: options.remote,
      ref: options.ref,
      version: versionInfo(tip, await readIndex(context)),
      previous: previous.version,
      moved: move.moves,
      versions: versions.length,
      fetched: countOf(wanted),
      there: countOf(chains.filter((each) => !wanted.includes(each))),
      transferredBytes: moved,
      promisedLayers: later.filter((layer) => isMissing(context, layer)).length,
    };
  }
}

/** Whether and how a ref moves to a version that comes. */
class RefMove {
  readonly #context: StoreContext;
  readonly #source: VersionSource;
  readonly #parentsOf: ParentsOf;
  readonly #options: ReceiveOptions;
  #current: Digest | null = null;
  moves = false;

  constructor(
    context: StoreContext,
    source: VersionSource,
    versions: readonly ReceivedVersion[],
    options: ReceiveOptions,
  ) {
    this.#context = context;
    this.#source = source;
    this.#options = options;
    const received = new Map(versions.map(({ document }) => [document.digest, document]));
    // Of a shallow pull more may have to be known than is kept.
    this.#parentsOf = async (digest) => {
      const known =
        received.get(digest) ??
        (await readVersionIfThere(context, digest)) ??
        (await receiveVersion(context, source, digest, { signal: options.signal }))?.document;
      return known?.config.parents;
    };
  }

  /** @throws CalveError `diverged`, `denied` */
  async decide(): Promise<void> {
    const { ref, force = false, command } = this.#options;
    if (ref === null) return;
    const index = await readIndex(this.#context);
    const { tip } = this.#source;
    const current = versionOfRef(index, ref) ?? null;
    this.#current = current;
    this.moves = false;
    if (current === tip) return;
    if (current !== null && !force) {
      const isAhead = await isAncestor(tip, current, (digest) => this.#localParents(digest));
      // Who pulls has all that there is; who pushes wants the name to be what is pushed.
      if (isAhead && command === 'pull') return;
      if (isAhead || !(await isAncestor(current, tip, this.#parentsOf))) throw this.#diverged(ref, current);
    }
    checkUnprotected(index, ref);
    this.moves = true;
  }

  /**
   * Moves the ref, and logs what was transferred. The store lock is held.
   * @returns where the ref was
   */
  async make(
    staging: Staging,
    to: { readonly digest: Digest; readonly manifestSize: number },
    { remote, ref, command }: ReceiveOptions,
  ): Promise<Digest | null> {
    const index = await readIndex(this.#context);
    if (ref !== null && (versionOfRef(index, ref) ?? null) !== this.#current) await this.decide();
    const from = this.#current;
    if (ref !== null && this.moves) {
      if (from !== null) letGoOf(this.#context, from);
      await moveRef(this.#context, staging, index, { ref, to, command });
    }
    const logged = { id: newId(), time: now(), command: 'pull' as const };
    await appendRemoteMove(this.#context, { ...logged, remote, ref, from, to: to.digest });
    return from;
  }

  #diverged(ref: string, current: Digest): CalveError {
    const { tip } = this.#source;
    const { remote, command } = this.#options;
    const [here, there] = command === 'pull' ? [current, tip] : [tip, current];
    const undo = `calve tag ${ref}@{1} ${ref} brings it back`;
    return new CalveError(
      'diverged',
      `${ref} is version ${shortDigest(here)} here and ${shortDigest(there)} at ${remote}, which does not ` +
        (command === 'pull' ? 'come from it' : 'lead to it'),
      {
        hint:
          command === 'pull'
            ? `calve pull ${remote} OTHER-REF keeps both; --force moves ${ref} (${undo})`
            : `calve pull ${remote} OTHER-REF shows what is there; --force moves it (there, ${undo})`,
        data: { ref, remote, here, there },
      },
    );
  }

  async #localParents(digest: Digest): Promise<readonly Digest[] | undefined> {
    return (await readVersionIfThere(this.#context, digest))?.config.parents;
  }
}

/** Records where layers are to be had that do not come now, unless that is known. */
async function promise(
  context: StoreContext,
  staging: Staging,
  { remote, registry }: ReceiveOptions,
  layers: readonly LayerInfo[],
): Promise<void> {
  const missing = layers.filter((layer) => isMissing(context, layer));
  if (missing.length === 0) return;
  const known = await promisedLayers(context);
  const news = missing.map(({ digest }) => digest).filter((digest) => known.get(digest)?.remote !== remote);
  const { plainHttp, caFile } = registry ?? {};
  if (news.length > 0) await recordPromise(context, staging, { remote, plainHttp, caFile, layers: news });
}
