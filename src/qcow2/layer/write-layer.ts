import { rm } from 'node:fs/promises';
import { CalveError } from '../../errors/index.ts';
import { openFile } from '../../host/index.ts';
import {
  type LayerOptions,
  type LayerPart,
  type LayerSummary,
  layerCodec,
  layerGeometry,
} from './layer-options.ts';

export type { LayerOptions, LayerPart, LayerSummary };

/**
 * Writes what a disk differs in from its parent as a layer: a qcow2 file in the one form that the difference, the
 * parent and the settings leave it. The same three make the same bytes, however the source is stored and the ranges
 * are cut, and whatever the machine.
 *
 * The file is version 3, with 16-bit refcounts; header, L1 table, L2 tables, refcount table, refcount blocks, then
 * plain clusters, then compressed ones, each in guest order without gaps. A cluster that reads as the parent's is
 * left out; zeros are a zero entry; equal clusters share their data, as often as a refcount can count. Compressed
 * is what becomes smaller by it.
 *
 * Data passes through in batches of 512 KiB, read ahead, compressed on threads, and staged in files without a
 * name beside `path`, because metadata comes ahead of it.
 *
 * @param path must not be there; the file is durable when this resolves, its name is not, and on any failure there
 *   is none
 * @throws CalveError `out-of-range` or `usage` for an option; `exists`; `aborted`; `no-space`, `io`; what the disks
 *   throw
 */
export async function writeLayer(
  path: string,
  options: Omit<LayerOptions, 'maxFileSize'>,
): Promise<LayerSummary> {
  return (await writeLayerPart(path, options)).summary;
}

/**
 * Writes a layer as `writeLayer` does, of as much of the difference as its largest size allows. The next layer begins
 * at `end`: with this one's digest as its backing file, and compared with the same parent, since between the two there
 * is nothing at its clusters.
 *
 * @throws CalveError as `writeLayer`; `usage` for a size in which no cluster is sure to fit
 */
export async function writeLayerPart(path: string, options: LayerOptions): Promise<LayerPart> {
  const geometry = layerGeometry(options);
  const codec = layerCodec(options, geometry.clusterSize);
  if (options.signal?.aborted) throw aborted(path, options.signal);
  const file = await openFile(path, { create: true });
  try {
    await using _closed = file;
    // Loaded when it is wanted: whoever opens an image as a rule does not.
    const { writeLayerInto } = await import('./write-layer-into.ts');
    return await writeLayerInto(file, geometry, codec, options);
  } catch (error) {
    await rm(path, { force: true });
    throw options.signal?.aborted ? aborted(path, options.signal) : error;
  }
}

function aborted(path: string, signal: AbortSignal): CalveError {
  return new CalveError('aborted', `writing ${path} was aborted`, { cause: signal.reason });
}
