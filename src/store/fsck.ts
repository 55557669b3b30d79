import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import { type Digest, digestOfHex, isHex } from '../oci/index.ts';
import { type Census, standingOn } from './census.ts';
import type { StoreContext } from './context.ts';
import { checkDocuments } from './fsck-documents.ts';
import { FsckFindings } from './fsck-findings.ts';
import { checkStructure } from './fsck-structure.ts';
import { hashFile } from './hash-file.ts';
import { locked } from './locking.ts';
import { describeStanding } from './protection.ts';
import { refsOf } from './ref-index.ts';
import { listFolder } from './staging.ts';
import { writeStamp } from './stamps.ts';
import type { FsckReport, WorkOptions } from './types.ts';

/**
 * Hashes every blob, then checks what the documents say of each other. The long part takes no lock: blobs never
 * change, and one that is collected meanwhile is no loss. The short part is done under the store lock, of one moment.
 */
export async function checkStore(context: StoreContext, options: WorkOptions): Promise<FsckReport> {
  await locked(context, async () => {}); // what a crash left is put right first
  const hashed = await hashBlobs(context, options);
  return locked(context, async () => {
    const findings = new FsckFindings();
    const census = await checkDocuments(context, findings);
    reportBlobs(context, findings, census, hashed);
    const layers = await checkStructure(context, findings, census, hashed.harmed);
    return {
      problems: findings.problems,
      checked: {
        blobs: hashed.count,
        bytes: hashed.bytes,
        versions: census.manifests.size,
        layers,
        refs: refsOf(census.index).length,
        envs: census.envs.size,
        trash: census.trash.size,
      },
    };
  });
}

interface Hashed {
  count: number;
  bytes: number;
  /** Blobs whose bytes hash to something else, and what. */
  readonly harmed: Map<Digest, Digest>;
  /** Files in `blobs/` that no blob is called by. */
  readonly misnamed: string[];
}

async function hashBlobs(context: StoreContext, { signal, onProgress }: WorkOptions): Promise<Hashed> {
  const hashed: Hashed = { count: 0, bytes: 0, harmed: new Map(), misnamed: [] };
  const names = await listFolder(context.layout.blobs);
  const sizes = names.map((name) => statFile(join(context.layout.blobs, name))?.size ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const onBytes = (count: number): void => {
    hashed.bytes += count;
    onProgress?.({ phase: 'hashing', done: Math.min(hashed.bytes, total), total });
  };
  for (const name of names) {
    if (!isHex(name)) {
      hashed.misnamed.push(name);
      continue;
    }
    const expected = digestOfHex(name);
    try {
      const { digest, stat } = await hashFile(context.layout.blob(expected), { signal, onBytes });
      hashed.count += 1;
      if (digest === expected) writeStamp(context, expected, stat);
      else await noteHarmed(context, hashed, expected, digest);
    } catch (error) {
      if (!CalveError.is(error, 'not-found')) throw error; // collected meanwhile
    }
  }
  return hashed;
}

/** Bytes that rotted on the medium leave the file's times alone: the stamp must not vouch for them any longer. */
async function noteHarmed(context: StoreContext, hashed: Hashed, blob: Digest, found: Digest): Promise<void> {
  hashed.harmed.set(blob, found);
  await rm(context.layout.stamp(blob), { force: true });
}

function reportBlobs(context: StoreContext, findings: FsckFindings, census: Census, hashed: Hashed): void {
  for (const name of hashed.misnamed) {
    findings.add(
      'blob-misnamed',
      `blobs/sha256/${name}`,
      `blobs/sha256/${name}: expected a name of 64 hex digits`,
    );
  }
  for (const [blob, found] of hashed.harmed) {
    if (statFile(context.layout.blob(blob)) === undefined) continue;
    const standing = standingOn(census, blob);
    findings.add(
      'blob-changed',
      blob,
      `blob ${blob} has changed: its bytes hash to ${found}; ${describeStanding(standing)}`,
      standing,
    );
  }
}
