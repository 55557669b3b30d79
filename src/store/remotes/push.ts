import { CalveError } from '../../errors/index.ts';
import { digestOf, MEDIA_TYPE_INDEX } from '../../oci/index.ts';
import { formatReference, openRepository, type Repository } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { resolveExpression } from '../expressions.ts';
import { locked, settled } from '../locking.ts';
import { now } from '../move-ref.ts';
import type { PushOptions } from '../options.ts';
import { verifyChain } from '../protection.ts';
import { newId } from '../staging.ts';
import type { PushResult } from '../types.ts';
import type { VersionDocument } from '../version-document.ts';
import { localHistory } from './local-history.ts';
import { pushToFolder } from './push-to-folder.ts';
import { encodePushed } from './pushed-ref.ts';
import { isMissing, layersOf } from './receive-layers.ts';
import { appendRemoteMove, remoteMoves } from './remote-log.ts';
import { parseRemote, type RemoteName } from './remote-name.ts';
import { RemoteTag } from './remote-tag.ts';
import { sendDocuments } from './send-documents.ts';
import { sendLayers } from './send-layers.ts';
import { TransferWatch } from './transfer-watch.ts';

/**
 * Brings a version and its history to a remote, and gives it a name there. Everything is there before the name is: who
 * pulls sees the version before or after. A name whose version does not lead to this one is left alone.
 */
export async function push(
  context: StoreContext,
  expression: string,
  text: string,
  options: PushOptions,
): Promise<PushResult> {
  const { depth = Number.POSITIVE_INFINITY, signal } = options;
  const remote = parseRemote(text);
  await settled(context);
  const resolved = await resolveExpression(context, expression);
  const history = await localHistory(context, resolved.version, depth);
  const result =
    remote.kind === 'registry'
      ? await pushToRegistry(context, remote, history, options)
      : await pushToFolder(context, remote, resolved, history, options);
  await locked(
    context,
    () =>
      appendRemoteMove(context, {
        ...{ id: newId(), time: now(), command: 'push', remote: result.remote },
        ...{ ref: resolved.ref, from: result.previous, to: result.version },
      }),
    signal,
  );
  return result;
}

async function pushToRegistry(
  context: StoreContext,
  remote: Extract<RemoteName, { kind: 'registry' }>,
  history: readonly VersionDocument[],
  options: PushOptions,
): Promise<PushResult> {
  const { signal, force = false, registry } = options;
  const { reference } = remote;
  if (reference.digest !== undefined) {
    throw new CalveError('usage', `remote ${remote.text}: a push gives a tag, not a digest`);
  }
  const [tip] = history;
  if (tip === undefined) throw new TypeError('a history has one version at least');
  const where = formatReference({ ...reference, tag: reference.tag ?? 'latest' });
  await using repository = openRepository(reference, registry);
  const tag = new RemoteTag(repository, reference.tag ?? 'latest', where);
  // A name that may not move is told of before gigabytes go.
  const before = await tag.read(signal);
  if (!force) await tag.checkLeadsTo(context, before, tip.digest);

  // The oldest version's layers first: bases are large, and whatever comes later stands on them.
  const layers = layersOf([...history].reverse());
  const infos = layers.map(({ layer }) => layer);
  await verifyChain(
    context,
    infos.filter((layer) => !isMissing(context, layer)),
    options,
  );
  const watch = new TransferWatch('sending', infos, options);
  const sent = await sendLayers(
    context,
    repository,
    layers,
    mountFrom(context, repository, reference),
    watch,
  );
  const had = new Set(before?.versions.map(({ digest }) => digest));
  await sendDocuments(context, repository, history, had, signal);

  // What the remote has of the history beyond what is here stays: its collector would take it.
  const own = new Set(history.map(({ digest }) => digest));
  const older = force ? [] : (before?.versions ?? []).filter(({ digest }) => !own.has(digest));
  const versions = [...history, ...older];
  const bytes = Buffer.from(encodePushed(versions, tip.config.created));
  const moved = before?.digest !== digestOf(bytes);
  if (moved) await tag.move({ bytes, mediaType: MEDIA_TYPE_INDEX }, before, signal);
  const previous = before?.versions[0]?.digest ?? null;
  return {
    ...{ remote: where, version: tip.digest, previous, moved: previous !== tip.digest },
    ...{ versions: versions.length, ...sent },
  };
}

/** The repository of the same registry that something was last pushed to or pulled from, if it is another. */
function mountFrom(
  context: StoreContext,
  { name }: Repository,
  { host }: { readonly host: string },
): string | undefined {
  for (const { remote } of remoteMoves(context)) {
    const known = parseRemote(remote);
    if (known.kind !== 'registry' || known.reference.host !== host) continue;
    if (`${host}/${known.reference.repository}` !== name) return known.reference.repository;
  }
  return undefined;
}
