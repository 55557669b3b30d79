import { join } from 'node:path';
import type { Digest } from '../../oci/index.ts';
import { openRepository } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { locked } from '../locking.ts';
import { manifestsOf } from '../manifests.ts';
import { readConfigOf } from '../read-version.ts';
import type { LayerInfo } from '../types.ts';
import { LayoutLayers } from './layout-source.ts';
import { type LayerPromise, promisedLayers } from './promises.ts';
import { publishReceived } from './publish-received.ts';
import { isMissing, layersOf, receiveLayers, type WantedLayer } from './receive-layers.ts';
import { RegistryLayers } from './registry-source.ts';
import { parseRemote } from './remote-name.ts';
import { TransferWatch, type WatchOptions } from './transfer-watch.ts';
import type { LayerSource } from './version-source.ts';

/**
 * Fetches layers that are missing from where they are promised, and puts them in place. Of one that nobody has promised
 * nothing is said: whoever needs it finds it missing. Not to be called with the store lock held.
 * @throws CalveError as a pull
 */
export async function bringLayers(
  context: StoreContext,
  missing: readonly WantedLayer[],
  options: WatchOptions,
): Promise<void> {
  if (missing.length === 0) return;
  const promised = await promisedLayers(context);
  const bySource = Map.groupBy(missing, ({ layer }) => promised.get(layer.digest));
  for (const [promise, wanted] of bySource) {
    if (promise === undefined) continue;
    await using source = sourceOf(promise);
    const watch = new TransferWatch(
      'fetching',
      wanted.map(({ layer }) => layer),
      options,
    );
    for (let isDone = false; !isDone; ) {
      const { layers } = await receiveLayers(context, source, wanted, watch);
      isDone = await locked(context, () => publishReceived(context, layers, []), options.signal);
    }
  }
}

/** As `bringLayers`, of what is missing of one chain. */
export async function bringChain(
  context: StoreContext,
  layers: readonly LayerInfo[],
  options: WatchOptions,
): Promise<void> {
  const missing = layersOf([{ layers }]).filter(({ layer }) => isMissing(context, layer));
  const sizes = await diskSizes(context, new Set(missing.map(({ layer }) => layer.digest)));
  const wanted = missing.map((each) => ({ ...each, size: sizes.get(each.layer.digest) }));
  await bringLayers(context, wanted, options);
}

/** How large versions say that their disks are, in bytes, by the last layer of each. */
async function diskSizes(context: StoreContext, tips: ReadonlySet<Digest>): Promise<Map<Digest, number>> {
  const sizes = new Map<Digest, number>();
  for await (const manifest of manifestsOf(context, '', () => {})) {
    if (!tips.has(manifest.tip)) continue;
    sizes.set(manifest.tip, (await readConfigOf(context, manifest)).size);
  }
  return sizes;
}

function sourceOf({ remote, plainHttp, caFile }: LayerPromise): LayerSource {
  const parsed = parseRemote(remote);
  if (parsed.kind === 'folder') return new LayoutLayers(remote, join(parsed.folder, 'blobs', 'sha256'));
  const repository = openRepository(parsed.reference, {
    ...(plainHttp !== undefined && { plainHttp }),
    ...(caFile !== undefined && { caFile }),
  });
  return new RegistryLayers(repository.name, repository);
}
