import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CalveError } from '../errors/index.ts';
import { type HostFile, isImmutable, openFile, statFile } from '../host/index.ts';
import { type Digest, digestOfHex, isHex } from '../oci/index.ts';
import { checkQcow2, type Qcow2Header, readHeader } from '../qcow2/index.ts';
import type { StoreContext } from './context.ts';
import { describeCheck } from './describe-check.ts';
import { hashOpened } from './hash-file.ts';
import { isQcow2File } from './is-qcow2-file.ts';
import { listFolder } from './staging.ts';
import { writeStamp } from './stamps.ts';
import type { FsckProblem, WorkOptions } from './types.ts';

/** What is wrong with a blob's bytes. */
interface Harm {
  readonly kind: Extract<FsckProblem['kind'], 'blob-changed' | 'blob-unreadable'>;
  /** `has changed: its bytes hash to …`. */
  readonly what: string;
}

/** What is known of a blob whose bytes are right and begin as a qcow2 file does. */
export interface LayerFacts {
  /** Undefined when it does not parse; then there is a fault. */
  readonly header: Qcow2Header | undefined;
  /** What our check says against its structure. */
  readonly fault: string | undefined;
  /** Who has it open for writing. */
  readonly inUse: string | undefined;
  readonly immutable: boolean;
}

/** What was found in `blobs/`, at no one moment: a blob may come or go meanwhile. */
export interface BlobFacts {
  /** Hashed. */
  bytes: number;
  /** Blobs whose bytes are not what their names say. */
  readonly harmed: Map<Digest, Harm>;
  readonly layers: Map<Digest, LayerFacts>;
  /** Blobs whose bytes are right and are no qcow2 file's. */
  readonly others: Set<Digest>;
  /** Files that no blob is called by. */
  readonly misnamed: string[];
}

/** Hashes every blob, and checks the structure of every layer by itself. Takes no lock: blobs never change. */
export async function examineBlobs(context: StoreContext, options: WorkOptions): Promise<BlobFacts> {
  const facts: BlobFacts = {
    bytes: 0,
    harmed: new Map(),
    layers: new Map(),
    others: new Set(),
    misnamed: [],
  };
  const names = await listFolder(context.layout.blobs);
  const sizes = names.map((name) => statFile(join(context.layout.blobs, name))?.size ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const onBytes = (count: number): void => {
    facts.bytes += count;
    options.onProgress?.({ phase: 'hashing', done: Math.min(facts.bytes, total), total });
  };
  for (const name of names) {
    if (isHex(name))
      await examineBlob(context, digestOfHex(name), facts, { signal: options.signal, onBytes });
    else facts.misnamed.push(name);
  }
  return facts;
}

/** Finds out all there is to know of one blob, whatever was known before. */
export async function examineBlob(
  context: StoreContext,
  blob: Digest,
  facts: BlobFacts,
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: (count: number) => void },
): Promise<void> {
  for (const known of [facts.harmed, facts.layers, facts.others]) known.delete(blob);
  try {
    await using file = await openFile(context.layout.blob(blob));
    const { digest, stat } = await hashOpened(file, options);
    if (digest !== blob) {
      return await noteHarm(context, blob, facts, {
        kind: 'blob-changed',
        what: `has changed: its bytes hash to ${digest}`,
      });
    }
    if (!(await isQcow2File(file))) {
      facts.others.add(blob);
      return;
    }
    writeStamp(context, blob, stat);
    facts.layers.set(blob, await examineLayer(file, options.signal));
  } catch (error) {
    if (!(error instanceof CalveError) || error.code === 'aborted') throw error;
    if (error.code === 'not-found') return; // collected meanwhile
    const kind = error.code === 'changed' ? 'blob-changed' : 'blob-unreadable';
    await noteHarm(context, blob, facts, {
      kind,
      what: kind === 'blob-changed' ? 'changed while it was hashed' : `cannot be read: ${error.message}`,
    });
  }
}

/** Bytes that rotted on the medium leave the file's times alone: the stamp must not vouch for them any longer. */
async function noteHarm(context: StoreContext, blob: Digest, facts: BlobFacts, harm: Harm): Promise<void> {
  facts.harmed.set(blob, harm);
  await rm(context.layout.stamp(blob), { force: true });
}

async function examineLayer(file: HostFile, signal: AbortSignal | undefined): Promise<LayerFacts> {
  const immutable = isImmutable(file);
  let header: Qcow2Header | undefined;
  try {
    header = await readHeader(file);
    const fault = describeCheck(await checkQcow2(file.path, { maxFindings: 1, signal }), 'all');
    return { header, fault, inUse: undefined, immutable };
  } catch (error) {
    if (!(error instanceof CalveError) || error.code === 'aborted') throw error;
    const open = error.code === 'in-use';
    return {
      header,
      fault: open ? undefined : error.message,
      inUse: open ? error.message : undefined,
      immutable,
    };
  }
}
