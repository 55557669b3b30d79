import { join } from 'node:path';
import { statFile } from '../host/index.ts';
import { digestOfHex, isHex } from '../oci/index.ts';
import type { Census } from './census.ts';
import type { StoreContext } from './context.ts';
import { stray } from './fsck-documents.ts';
import { type FsckFindings, REPAIR } from './fsck-findings.ts';
import { listFolder } from './staging.ts';

const SUFFIX = '.json';

/** Tells of stamps that are nobody's. One of a layer that has changed or is missing is not: the layer is told of. */
export async function checkStamps(
  context: StoreContext,
  findings: FsckFindings,
  census: Census,
): Promise<void> {
  const names = await listFolder(context.layout.stamps);
  if (names.length === 0) return;
  const needed = new Set<string>();
  for (const { layers } of census.manifests.values()) for (const { digest } of layers) needed.add(digest);
  for (const name of names) {
    const hex = name.slice(0, -SUFFIX.length);
    const where = `stamps/${name}`;
    if (!name.endsWith(SUFFIX) || !isHex(hex)) {
      stray(findings, join(context.layout.stamps, name), where, 'the name of a layer and .json');
      continue;
    }
    const digest = digestOfHex(hex);
    if (needed.has(digest) || statFile(context.layout.blob(digest)) !== undefined) continue;
    findings.add({ kind: 'stray', where, message: `${where} is the stamp of no layer`, hint: REPAIR });
  }
}
