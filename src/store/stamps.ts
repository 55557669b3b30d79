import { readFileSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { errnoOf, systemError } from '../errors/index.ts';
import type { FileStat } from '../host/index.ts';
import { canonicalJson, type Digest } from '../oci/index.ts';
import type { StoreContext } from './context.ts';

/**
 * What a layer's file was like when its bytes were last known to hash to its name. The change time cannot be set
 * back by any program, so a file that was touched in any way, or put in another's place, differs.
 */
interface Stamp {
  readonly size: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
}

const decimal = v.pipe(v.string(), v.regex(/^\d+$/));
const stampSchema: v.GenericSchema<unknown, Stamp> = v.object({
  size: decimal,
  mtimeNs: decimal,
  ctimeNs: decimal,
  inode: decimal,
  device: decimal,
});

function stampOf(stat: FileStat): Stamp {
  return {
    size: String(stat.size),
    mtimeNs: String(stat.mtimeNs),
    ctimeNs: String(stat.ctimeNs),
    inode: String(stat.inode),
    device: String(stat.device),
  };
}

/** Whether the layer was known to be whole when it was as it is now. No stamp, or a torn one, is a no. */
export function hasStamp(context: StoreContext, layer: Digest, stat: FileStat): boolean {
  let text: string;
  try {
    text = readFileSync(context.layout.stamp(layer), 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw systemError(`cannot read ${context.layout.stamp(layer)}`, error);
  }
  const json = v.safeParse(v.pipe(v.string(), v.parseJson(), stampSchema), text);
  return json.success && canonicalJson(json.output) === canonicalJson(stampOf(stat));
}

/**
 * Records that the layer's bytes were right when its file was like this. In place and without a sync: a stamp that
 * a crash tears or loses costs a hash, no more. So does one that a full or read-only file system refuses.
 */
export function writeStamp(context: StoreContext, layer: Digest, stat: FileStat): void {
  const path = context.layout.stamp(layer);
  try {
    writeFileSync(path, canonicalJson(stampOf(stat)));
  } catch (error) {
    const failed = systemError(`cannot write ${path}`, error);
    if (failed.code !== 'no-space' && failed.code !== 'denied') throw failed;
  }
}
