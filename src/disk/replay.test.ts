import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { delayedDisk, type Lost, MemoryDisk, type RecordingDisk, recordingDisk, replay } from './index.ts';

const SIZE = 4096;
const everything: Lost = () => true;
const nothing: Lost = () => false;

/** What a loss of power leaves of a disk that read 0xff everywhere: the first byte of each sector. */
async function left(disk: RecordingDisk, cut: number, lost: Lost): Promise<number[]> {
  const bytes = await leftBytes(disk, cut, lost);
  return Array.from({ length: Math.ceil(bytes.length / 512) }, (_, sector) => bytes[sector * 512] ?? -1);
}

async function leftBytes(disk: RecordingDisk, cut: number, lost: Lost): Promise<Buffer> {
  await using onto = new MemoryDisk(SIZE);
  await onto.write(Buffer.alloc(SIZE, 0xff), 0);
  await replay(disk.log, cut, lost, onto);
  const all = Buffer.alloc(onto.size);
  await onto.read(all, 0);
  return all;
}

const sector = (value: number, count = 1) => Buffer.alloc(512 * count, value);
/** A disk whose operations end when the test says so. */
function gated() {
  const gates = Array.from({ length: 9 }, () => Promise.withResolvers<void>());
  const disk = recordingDisk(delayedDisk(new MemoryDisk(SIZE), ({ index }) => gates[index]?.promise));
  return { disk, end: (index: number) => gates[index]?.resolve() };
}

describe('replay', () => {
  it('does what had begun by the cut, and nothing that began later', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.write(sector(1), 0);
    const cut = disk.log.moment;
    await disk.write(sector(2), 512);
    assert.deepEqual((await left(disk, 0, nothing)).slice(0, 3), [0xff, 0xff, 0xff]);
    assert.deepEqual((await left(disk, cut, nothing)).slice(0, 3), [1, 0xff, 0xff]);
    assert.deepEqual((await left(disk, cut + 1, nothing)).slice(0, 3), [1, 2, 0xff]);
  });

  it('loses any of what no flush covers, and nothing of what one does', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.write(sector(1), 0);
    await disk.writeZeroes?.(512, 512);
    await disk.flush();
    const flushed = disk.log.moment;
    await disk.write(sector(3), 1024);
    await disk.write(sector(4), 0);
    const { moment, operations } = disk.log;
    assert.deepEqual((await left(disk, moment, everything)).slice(0, 3), [1, 0, 0xff]);
    assert.deepEqual((await left(disk, moment, new Set(operations.slice(3, 4)))).slice(0, 3), [4, 0, 0xff]);
    assert.deepEqual((await left(disk, moment, new Set(operations.slice(4)))).slice(0, 3), [1, 0, 3]);
    assert.deepEqual((await left(disk, flushed - 1, everything)).slice(0, 3), [0xff, 0xff, 0xff]);
    assert.deepEqual((await left(disk, flushed, everything)).slice(0, 3), [1, 0, 0xff]);
  });

  it('does not count on a flush for what was under way when it began', async () => {
    const { disk, end } = gated();
    const first = disk.write(sector(1), 0);
    const second = disk.write(sector(2), 512);
    end(0);
    await first;
    const flush = disk.flush();
    end(1);
    await second;
    end(2);
    await flush;
    assert.deepEqual((await left(disk, disk.log.moment, everything)).slice(0, 2), [1, 0xff]);
    assert.deepEqual((await left(disk, disk.log.moment, nothing)).slice(0, 2), [1, 2]);
    const again = disk.flush();
    end(3);
    await again;
    assert.deepEqual((await left(disk, disk.log.moment, everything)).slice(0, 2), [1, 2]);
    await disk.close();
  });

  it('does not count on a flush that never ended, nor on an older one that ended last', async () => {
    const { disk, end } = gated();
    const older = disk.flush();
    end(1);
    await disk.write(sector(1), 0);
    const newer = disk.flush();
    assert.deepEqual((await left(disk, disk.log.moment, everything)).slice(0, 1), [0xff]);
    end(0);
    await older;
    assert.deepEqual((await left(disk, disk.log.moment, everything)).slice(0, 1), [0xff]);
    end(2);
    await newer;
    assert.deepEqual((await left(disk, disk.log.moment, everything)).slice(0, 1), [1]);
    await disk.close();
  });

  it('tears an operation where sectors of the disk meet', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    const from = Buffer.concat([sector(1), sector(2), sector(3)]);
    await disk.write(from, 300);
    const asked: number[] = [];
    const found = await leftBytes(disk, disk.log.moment, (_, index) => {
      asked.push(index);
      return index === 1 || index === 3;
    });
    assert.deepEqual(asked, [0, 1, 2, 3]);
    const expected = Buffer.alloc(SIZE, 0xff);
    from.copy(expected, 300, 0, 212);
    from.copy(expected, 1024, 724, 1236);
    assert.ok(found.equals(expected));
    await disk.discard?.(1024, 1024);
    const torn = await left(disk, disk.log.moment, ({ kind }, index) => kind === 'discard' && index === 0);
    assert.deepEqual(torn.slice(2, 4), [2, 0]);
  });

  it('changes sizes in order: with one, the later ones are lost, and what would lie past it', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.resize?.(SIZE + 1024);
    await disk.write(sector(1, 2), SIZE - 512);
    await disk.resize?.(SIZE + 2048);
    await disk.write(sector(2), SIZE + 1024);
    const [first, , second] = disk.log.operations;
    assert.ok(first && second);
    const { moment } = disk.log;
    assert.deepEqual((await left(disk, moment, nothing)).slice(7), [1, 1, 0, 2, 0]);
    assert.deepEqual((await left(disk, moment, new Set([second]))).slice(7), [1, 1, 0]);
    assert.deepEqual((await left(disk, moment, new Set([first]))).slice(7), [1]);
    await disk.flush();
    assert.deepEqual((await left(disk, disk.log.moment, everything)).length, 12);
  });

  it('loses with a shrinking what was written past it later', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.resize?.(512);
    await disk.resize?.(SIZE);
    await disk.write(sector(1, 8), 0);
    const { moment } = disk.log;
    assert.deepEqual(await left(disk, moment, nothing), [1, 1, 1, 1, 1, 1, 1, 1]);
    const old = await left(disk, moment, ({ kind }) => kind === 'resize');
    assert.deepEqual(old, [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
  });

  it('refuses to replay a resize onto a disk that keeps its size', async () => {
    await using disk = recordingDisk(new MemoryDisk(SIZE));
    await disk.resize?.(512);
    const { moment } = disk.log;
    const onto = new MemoryDisk(SIZE);
    const fixed = {
      ...onto,
      size: SIZE,
      read: onto.read,
      write: onto.write,
      flush: onto.flush,
      close: onto.close,
    };
    const disposable = { ...fixed, [Symbol.asyncDispose]: () => onto.close() };
    await assert.rejects(replay(disk.log, moment, nothing, disposable), { code: 'unsupported' });
  });
});
