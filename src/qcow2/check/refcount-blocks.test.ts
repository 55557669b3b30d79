import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, it } from 'node:test';
import { qemuCounts } from '../../../test/support/qemu-check.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { encodeEmptyImage } from '../empty-image.ts';
import { checkQcow2 } from './check-qcow2.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const LONGEST_FILE = 2n ** 63n - 2n ** 30n;
const CLUSTER = 512n;

it('a refcount block where no file reaches cannot be read, as QEMU says', async () => {
  for (const [offset, isReadable] of [
    [2n ** 40n, true],
    [LONGEST_FILE - CLUSTER, true],
    [LONGEST_FILE, false],
    [2n ** 63n - CLUSTER, false],
    [2n ** 63n - 1n, false],
    [2n ** 63n, false],
  ] as const) {
    const path = folder.join(`${offset}`);
    const bytes = Buffer.from(encodeEmptyImage({ size: 2 ** 20, clusterSize: Number(CLUSTER) }));
    bytes.writeBigUInt64BE(offset, Number(bytes.readBigUInt64BE(48)));
    await writeFile(path, bytes);
    const { corruptions, leaks, checkErrors } = await checkQcow2(path);
    const theirs = await qemuCounts(path);
    assert.equal(checkErrors === 0, isReadable, `${offset}`);
    assert.deepEqual(
      [corruptions, leaks, checkErrors],
      [theirs?.corruptions, theirs?.leaks, theirs?.checkErrors],
      `${offset}`,
    );
  }
});
