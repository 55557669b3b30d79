import { CalveError } from '../../errors/index.ts';
import { openFile } from '../../host/index.ts';
import { blobSourceOf, type Repository, type Uploaded } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { inParallel } from '../in-parallel.ts';
import type { PushResult } from '../types.ts';
import { bringLayers } from './bring-layers.ts';
import { isMissing, LAYERS_AT_A_TIME, type WantedLayer } from './receive-layers.ts';
import type { TransferWatch } from './transfer-watch.ts';
import { UploadStates } from './upload-states.ts';

/** What came of each layer. */
export type SentLayers = Pick<PushResult, 'sent' | 'there' | 'mounted' | 'transferredBytes'>;

/**
 * Brings layers to a repository, several at a time: those that it has not, from another repository of the registry where
 * that is allowed, else from here. An upload that was cut off is gone on with.
 *
 * @param mountFrom a repository that may have them
 */
export async function sendLayers(
  context: StoreContext,
  repository: Repository,
  layers: readonly WantedLayer[],
  mountFrom: string | undefined,
  watch: TransferWatch,
): Promise<SentLayers> {
  const states = new UploadStates(context, repository.name);
  const counts = {
    upload: { layers: 0, bytes: 0 },
    there: { layers: 0, bytes: 0 },
    mount: { layers: 0, bytes: 0 },
  };
  let transferredBytes = 0;
  const { signal } = watch;
  await inParallel(layers, LAYERS_AT_A_TIME, async (wanted) => {
    const { layer } = wanted;
    const { by, moved } = await sendLayer(context, repository, wanted, states, mountFrom, watch);
    counts[by].layers += 1;
    counts[by].bytes += layer.size;
    transferredBytes += moved;
    watch.end(layer);
    if (signal?.aborted) throw new CalveError('aborted', 'sending was ended', { cause: signal.reason });
  });
  return { sent: counts.upload, there: counts.there, mounted: counts.mount, transferredBytes };
}

async function sendLayer(
  context: StoreContext,
  repository: Repository,
  wanted: WantedLayer,
  states: UploadStates,
  mountFrom: string | undefined,
  watch: TransferWatch,
): Promise<Uploaded> {
  const { layer } = wanted;
  const { digest, size } = layer;
  const { signal } = watch;
  if (isMissing(context, layer)) {
    // Of an old version that was pulled without its layers: what has promised them may be this very repository.
    if (await repository.blobs.has(digest, { signal })) return { by: 'there', moved: 0 };
    await bringLayers(context, [wanted], { signal });
  }
  await using file = await openFile(context.layout.blob(digest));
  return await repository.blobs.upload(blobSourceOf(file, digest, size), {
    signal,
    mountFrom,
    state: await states.find(digest),
    onState: (state) => states.keep(digest, state),
    onProgress: (progress) => watch.report(layer, progress),
  });
}
