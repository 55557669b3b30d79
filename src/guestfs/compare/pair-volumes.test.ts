import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryDisk } from '../../disk/index.ts';
import { GuestVolume } from '../guest-volume.ts';
import { pairVolumes } from './pair-volumes.ts';

/** Volumes by their numbers and UUIDs: `1=a 2=b 3` (without one). */
function volumes(text: string): GuestVolume[] {
  const disk = new MemoryDisk(1 << 20);
  return text.split(' ').map((word) => {
    const [number = '', uuid = null] = word.split('=');
    const partition = { number: Number(number), offset: 0, size: 1, type: '', name: null, uuid: null };
    return new GuestVolume(disk, partition, { kind: 'ext4', label: null, uuid });
  });
}

test('volumes belong together by their UUIDs, else by their numbers', () => {
  const paired = (before: string, after: string): string =>
    pairVolumes(volumes(before), volumes(after))
      .map((pair) => `${pair.before?.number ?? '-'}${pair.after?.number ?? '-'}`)
      .join(' ');
  assert.equal(paired('1=a 2=b', '1=a 2=b'), '11 22');
  // The numbers moved; a partition was removed; one was made.
  assert.equal(paired('1=a 2=b 3=c', '1=b 2=c'), '21 32 1-');
  assert.equal(paired('1=a', '1=b 2=a'), '-1 12');
  // A file system was made anew; there is none that has a UUID.
  assert.equal(paired('1=a 2=b', '1=a 2=x'), '11 22');
  assert.equal(paired('1 2', '1 2 3'), '11 22 -3');
  // Clones have one UUID.
  assert.equal(paired('1=a 2=a', '1=a 2=a'), '11 22');
  assert.equal(paired('1=a 2=a', '2=a 3=a'), '22 -3 1-');
});
