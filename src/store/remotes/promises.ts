import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { CalveError, systemError } from '../../errors/index.ts';
import { makeFolder, renameDurably, statFile } from '../../host/index.ts';
import { canonicalJson, type Digest, digestSchema, parseDocument } from '../../oci/index.ts';
import type { StoreContext } from '../context.ts';
import type { OnBroken } from '../manifests.ts';
import { readText } from '../read-text.ts';
import { listFolder, newId, type Staging, writeStaged } from '../staging.ts';

/** Where layers are to be had that old versions need and the store has not got: `promised/<id>.json`, one a pull. */
export interface LayerPromise {
  /** As `parseRemote` takes it. */
  readonly remote: string;
  readonly plainHttp?: boolean | undefined;
  readonly caFile?: string | undefined;
  readonly layers: readonly Digest[];
}

const schema: v.GenericSchema<unknown, LayerPromise> = v.looseObject({
  remote: v.string(),
  plainHttp: v.optional(v.boolean()),
  caFile: v.optional(v.string()),
  layers: v.array(digestSchema),
});

/** Records a promise, durably. The store lock is held; the versions that need the layers are published after it. */
export async function recordPromise(
  context: StoreContext,
  staging: Staging,
  promise: LayerPromise,
): Promise<void> {
  const staged = staging.path('promise.json');
  await writeStaged(staged, canonicalJson(promise));
  await makeFolder(context.layout.promised);
  context.step('record where layers are to be had');
  await renameDurably(staged, join(context.layout.promised, `${newId()}.json`));
}

/**
 * Every promise, by the layer; of two the later found.
 * @param onBroken is told of a document that is none; without it that is thrown
 */
export async function promisedLayers(
  context: StoreContext,
  onBroken?: OnBroken,
): Promise<Map<Digest, LayerPromise>> {
  const promised = new Map<Digest, LayerPromise>();
  for (const { promise } of await promisesOf(context, onBroken)) {
    for (const layer of promise.layers) promised.set(layer, promise);
  }
  return promised;
}

async function promisesOf(
  context: StoreContext,
  onBroken?: OnBroken,
): Promise<{ readonly path: string; readonly promise: LayerPromise }[]> {
  const found: { path: string; promise: LayerPromise }[] = [];
  for (const name of await listFolder(context.layout.promised)) {
    const path = join(context.layout.promised, name);
    try {
      found.push({ path, promise: parseDocument(await readText(path), schema, path) });
    } catch (error) {
      if (CalveError.is(error, 'not-found')) continue; // gc was quicker
      if (onBroken === undefined || !(error instanceof CalveError)) throw error;
      onBroken(path, error);
    }
  }
  return found;
}

/** Takes away promises none of whose layers is missing to a version any more. The store lock is held. */
export async function forgetPromises(context: StoreContext, needed: ReadonlySet<Digest>): Promise<void> {
  for (const { path, promise } of await promisesOf(context)) {
    const isOpen = promise.layers.some(
      (layer) => needed.has(layer) && statFile(context.layout.blob(layer)) === undefined,
    );
    if (isOpen) continue;
    context.step('forget where layers are to be had');
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw systemError(`cannot remove ${path}`, error);
    }
  }
}
