import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CrashStorage } from '../../test/support/crash-storage.ts';
import { type EmptyImageOptions, encodeEmptyImage } from './empty-image.ts';
import { ImageFile } from './image-file.ts';
import { ImageHeader } from './image-header.ts';
import { readHeader } from './read-header.ts';

async function open(options: Partial<EmptyImageOptions> = {}) {
  const storage = new CrashStorage('image', encodeEmptyImage({ size: 2 ** 20, ...options }));
  const header = new ImageHeader(new ImageFile(storage), await readHeader(storage));
  return { storage, header };
}

const longName = `${'folder/'.repeat(40)}base`;

it('trap 5: a header that is written anew keeps unknown extensions, fields, and an odd size', async () => {
  const { storage, header } = await open({ backingFile: 'base', backingFormat: 'raw' });
  await header.rewrite({ extensions: [{ type: 0x12345678, data: Buffer.from('unknown') }] });
  storage.content.writeBigUInt64BE(2n ** 20n + 7n, 24);
  const again = new ImageHeader(new ImageFile(storage), await readHeader(storage));
  await again.rewrite({ backingFile: longName });
  const found = await readHeader(storage);
  assert.equal(storage.content.readBigUInt64BE(24), 2n ** 20n + 7n);
  assert.deepEqual(found.extensions, [{ type: 0x12345678, data: new Uint8Array(Buffer.from('unknown')) }]);
  assert.deepEqual([found.backingFile, found.backingFormat], [longName, 'raw']);
  assert.deepEqual(found.featureNames, header.current.featureNames);
});

it('a header that does not fit is refused and left as it is', async () => {
  const { storage, header } = await open({ clusterSize: 512, backingFile: 'base', backingFormat: 'raw' });
  const before = Buffer.from(storage.content);
  await assert.rejects(header.rewrite({ backingFile: longName.repeat(3) }), { code: 'out-of-range' });
  assert.ok(storage.content.equals(before));
  await header.rewrite({ backingFile: longName });
  assert.equal((await readHeader(storage)).backingFile, longName);
});
