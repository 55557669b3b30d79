import { statFile } from '../../host/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { TransferProgress } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { inParallel } from '../in-parallel.ts';
import type { LayerCount, LayerInfo } from '../types.ts';
import type { VersionDocument } from '../version-document.ts';
import { checkLayer } from './check-layer.ts';
import { fillPartial, type PartialLayer } from './partial-layer.ts';
import type { TransferWatch } from './transfer-watch.ts';
import type { LayerSource } from './version-source.ts';

/** Layers that come at a time. */
export const LAYERS_AT_A_TIME = 4;

/** A layer of some version's chain, and what it has to be there. */
export interface WantedLayer {
  readonly layer: LayerInfo;
  readonly below: LayerInfo | null;
  /** Bytes of the disk, of a chain's last layer. */
  readonly size: number | undefined;
}

/** What of a version its layers say. */
type Chain = Pick<VersionDocument, 'layers'> & { readonly size?: number };

/** The layers of versions, each once, a layer behind the one below it. */
export function layersOf(versions: readonly Chain[]): WantedLayer[] {
  const wanted = new Map<Digest, WantedLayer>();
  for (const { layers, size } of versions) {
    for (const [at, layer] of layers.entries()) {
      const isLast = at === layers.length - 1;
      const known = wanted.get(layer.digest);
      if (known !== undefined && (known.size !== undefined || !isLast)) continue;
      wanted.set(layer.digest, { layer, below: layers[at - 1] ?? null, size: isLast ? size : undefined });
    }
  }
  return [...wanted.values()];
}

/** Whether a layer's file is not in the store. */
export function isMissing(context: StoreContext, { digest }: LayerInfo): boolean {
  return statFile(context.layout.blob(digest)) === undefined;
}

/** Layers, and their bytes. */
export function countOf(layers: readonly WantedLayer[]): LayerCount {
  return { layers: layers.length, bytes: layers.reduce((sum, { layer }) => sum + layer.size, 0) };
}

/** What came. */
export interface ReceivedLayers {
  /** In `partial/`, in the order in which they were wanted. */
  readonly layers: readonly PartialLayer[];
  readonly moved: number;
}

/**
 * Brings layers into `partial/`, several at a time, each verified against its digest and found to be a layer.
 * @throws CalveError `corrupt` for one that is none, which is not kept; what the source throws
 */
export async function receiveLayers(
  context: StoreContext,
  source: LayerSource,
  wanted: readonly WantedLayer[],
  watch: TransferWatch,
): Promise<ReceivedLayers> {
  const received = new Map<Digest, PartialLayer>();
  let moved = 0;
  const { signal } = watch;
  await inParallel(wanted, LAYERS_AT_A_TIME, async ({ layer, below, size }) => {
    const onProgress = (progress: TransferProgress) => watch.report(layer, progress);
    const filled = await fillPartial(
      context,
      layer,
      async (file) => {
        const transferred = await source.layer(layer, file, { signal, onProgress });
        moved += transferred.moved;
        try {
          await checkLayer(file, layer, below, size, signal);
        } catch (error) {
          if (signal?.aborted !== true) await file.truncate(0);
          throw error;
        }
      },
      signal,
    );
    watch.end(layer);
    if (filled !== undefined) received.set(layer.digest, filled);
  });
  return { layers: wanted.flatMap(({ layer }) => received.get(layer.digest) ?? []), moved };
}
