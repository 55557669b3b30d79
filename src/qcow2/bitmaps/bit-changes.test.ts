import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BitChanges } from './bit-changes.ts';

const PAGE_BYTES = 1024;
const PAGE_BITS = PAGE_BYTES * 8;
const PAGES = 3;
const bit = fc.oneof(
  fc.integer({ min: 0, max: PAGES * PAGE_BITS }),
  fc.constantFrom(0, 4095, 4096, PAGE_BITS - 1, PAGE_BITS, 2 * PAGE_BITS, PAGES * PAGE_BITS),
);

/** Each bit of the pages. */
function bitsOf(changes: BitChanges): boolean[] {
  return Array.from({ length: PAGES }, (_, page) => {
    const bytes = new Uint8Array(PAGE_BYTES);
    changes.applyTo(bytes, page);
    return Array.from({ length: PAGE_BITS }, (_, at) => (((bytes[at >>> 3] ?? 0) >>> (at & 7)) & 1) === 1);
  }).flat();
}

describe('bits that were set', () => {
  it('are those of an array of them, whatever is set, dropped and put back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bit, bit, fc.nat(5)), { maxLength: 8 }), (steps) => {
        const changes = new BitChanges(PAGE_BYTES);
        const model = new Array<boolean>(PAGES * PAGE_BITS).fill(false);
        for (const [a, b, verb] of steps) {
          const page = a % PAGES;
          if (verb === 0) {
            changes.drop(page);
            model.fill(false, page * PAGE_BITS, (page + 1) * PAGE_BITS);
          } else if (verb === 1) {
            const bytes = new Uint8Array(PAGE_BYTES);
            changes.applyTo(bytes, page);
            changes.drop(page);
            changes.add(bytes, page);
          } else {
            changes.set(Math.min(a, b), Math.max(a, b));
            model.fill(true, Math.min(a, b), Math.max(a, b));
          }
        }
        assert.deepEqual(bitsOf(changes), model);
        for (let page = 0; page < PAGES; page += 1) {
          const set = model.slice(page * PAGE_BITS, (page + 1) * PAGE_BITS).includes(true);
          if (set) assert.ok(changes.has(page));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('take no memory for whole pages', () => {
    const changes = new BitChanges(65_536);
    changes.set(5, 1000 * 65_536 * 8 + 7);
    assert.equal(changes.pages().length, 1001);
    assert.ok(changes.bytes <= 129 * 512, `${changes.bytes}`);
    changes.clear();
    assert.ok(changes.empty);
  });
});
