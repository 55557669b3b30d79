import { CalveError } from '../../errors/index.ts';
import type { StoreContext } from '../context.ts';
import type { Resolved } from '../expressions.ts';
import type { PushOptions } from '../options.ts';
import { parseRefName } from '../ref-name.ts';
import type { PushResult } from '../types.ts';
import type { VersionDocument } from '../version-document.ts';
import { bringLayers } from './bring-layers.ts';
import { openLayoutSource } from './layout-source.ts';
import { receive } from './pull.ts';
import { isMissing, layersOf } from './receive-layers.ts';
import type { RemoteName } from './remote-name.ts';

/**
 * Brings a version to another store, which is made where there is none: it is that store which takes it in, with all that a
 * pull does. Its ref has the name that the version has here, unless one is said.
 */
export async function pushToFolder(
  context: StoreContext,
  remote: Extract<RemoteName, { kind: 'folder' }>,
  { version, ref }: Resolved,
  history: readonly VersionDocument[],
  options: PushOptions,
): Promise<PushResult> {
  const wanted = remote.ref ?? ref;
  if (wanted === null) {
    throw new CalveError('usage', `remote ${remote.text}: what is the version to be called there?`, {
      hint: `${remote.text}:REF`,
    });
  }
  const name = parseRefName(wanted);
  const { openLayout } = await import('../open-store.ts');
  const there = { layout: await openLayout(remote.folder, true), step: context.step };
  if (there.layout.folder === context.layout.folder) {
    throw new CalveError('usage', `remote ${remote.text} is the store itself`, {
      hint: `calve tag ${name} NEW`,
    });
  }
  // What was pulled without the layers of its old versions gets them: the other store shall need nobody.
  const missing = layersOf(history).filter(({ layer }) => isMissing(context, layer));
  await bringLayers(context, missing, options);
  await using source = await openLayoutSource(context.layout.folder, version);
  const { folder } = context.layout;
  const received = await receive(there, source, {
    ...options,
    ...{ ref: name, all: true, remote: `${folder}:${ref ?? version}`, command: 'push' },
  });
  const { previous, moved, versions, fetched, transferredBytes } = received;
  return {
    ...{ remote: `${remote.folder}:${name}`, version, previous, moved, versions },
    ...{ sent: fetched, there: received.there, mounted: { layers: 0, bytes: 0 }, transferredBytes },
  };
}
