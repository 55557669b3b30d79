import type { LuksHeader, Qcow2Disk } from '../../../qcow2/index.ts';
import type { Json } from '../printing/json-text.ts';

/** Stripes of the anti-forensic splitter, which every LUKS header of version 1 has. */
const STRIPES = 4000;

/** What `info` tells of a qcow2 image that no other format has, by the names of QEMU's ImageInfoSpecificQCow2. */
export async function qcow2Specific(qcow2: Qcow2Disk): Promise<Json> {
  const { header } = qcow2;
  const encrypt = await encryption(qcow2);
  if (header.version === 2) {
    return {
      compat: '0.10',
      'compression-type': header.compressionType,
      'refcount-bits': header.refcountBits,
      ...(encrypt !== undefined && { encrypt }),
    };
  }
  const bitmaps = qcow2.bitmaps();
  return {
    compat: '1.1',
    'compression-type': header.compressionType,
    'lazy-refcounts': header.compatible.has('lazy refcounts'),
    'refcount-bits': header.refcountBits,
    corrupt: header.incompatible.has('corrupt'),
    'extended-l2': header.incompatible.has('extended L2 entries'),
    ...(header.incompatible.has('external data file') && {
      'data-file': qcow2.dataFileName,
      'data-file-raw': header.autoclear.has('raw external data'),
    }),
    ...(bitmaps.length > 0 && {
      bitmaps: bitmaps.map(({ name, granularity, enabled, inconsistent }) => ({
        name,
        granularity,
        flags: [...(inconsistent ? ['in-use'] : []), ...(enabled ? ['auto'] : [])],
      })),
    }),
    ...(encrypt !== undefined && { encrypt }),
  };
}

async function encryption(qcow2: Qcow2Disk): Promise<Json | undefined> {
  if (qcow2.header.cryptMethod === 'aes') return { format: 'aes' };
  const luks = await qcow2.luksHeader();
  return luks && describeLuks(luks);
}

function describeLuks(luks: LuksHeader): Json {
  const { cipher, hash, uuid, keySlots, payloadOffset, masterKeyIterations } = luks;
  return {
    format: 'luks',
    'cipher-alg': `aes-${(cipher.keyBytes * 8) / (cipher.mode === 'xts' ? 2 : 1)}`,
    'cipher-mode': cipher.mode,
    'ivgen-alg': cipher.ivgen,
    ...(cipher.ivgen === 'essiv' && { 'ivgen-hash-alg': cipher.ivgenHash }),
    'hash-alg': hash,
    uuid,
    'payload-offset': payloadOffset,
    'master-key-iters': masterKeyIterations,
    slots: keySlots.map(({ active, iterations, offset }) => ({
      active,
      'key-offset': offset,
      ...(active && { iters: iterations, stripes: STRIPES }),
    })),
  };
}
