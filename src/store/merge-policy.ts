/** Chains of so many layers are left as they are. */
const SMALL_DEPTH = 16;
/** Less and less is asked of a merge from this depth on, and from that one on the least. */
const PRESSED_DEPTHS = [20, 28] as const;

/** How often the largest of the merged layers must go into the sum of them all: so much larger is what comes of it. */
const GROWTH = 12;
/** The same where the chain is deep. */
const LEAST_GROWTH = 1.5;
/** A layer may be so many times the sum of the newer ones that it is merged with. */
const STEP = 3;
/** Of two merges that make about as much larger a layer, the one that takes more layers. */
const ABOUT = 0.95;

/** Bytes that merging may always make a layer of. */
const MERGED = 4 * 2 ** 30;
/** The part of its chain that a merged layer may always be. */
const PART = 8;

/**
 * How many of a chain's upper layers are written once more, into the layer of a commit, so that chains stay short and
 * what is written stays little (decision 011). The chain alone decides: it may come from anywhere.
 *
 * Layers are merged as the runs of a log-structured merge tree are, when something much larger comes of it: then a
 * byte is written once more for each time that its layer grows by that factor. A layer is merged only with newer ones
 * that are a third of it together, so that a small commit never pays for a large layer. The chain's first layer stays.
 *
 * @param sizes bytes of the chain's layers, base first
 * @param change bytes of the commit's own layer
 * @returns 0 to merge nothing
 */
export function layersToMerge(sizes: readonly number[], change: number): number {
  const depth = sizes.length + 1;
  if (depth <= SMALL_DEPTH) return 0;
  const needed = growthNeeded(depth);
  const limit = largestMerged(sizes, change);
  let chosen = { count: 0, growth: needed };
  let largest = change;
  let sum = change;
  for (let count = 1; count < sizes.length; count += 1) {
    const size = sizes.at(-count) ?? 0;
    if (size > STEP * sum || sum + size > limit) break;
    sum += size;
    largest = Math.max(largest, size);
    const growth = sum / largest;
    if (growth >= needed && growth >= chosen.growth * ABOUT) {
      chosen = { count, growth: Math.max(growth, chosen.growth) };
    }
  }
  return chosen.count;
}

function growthNeeded(depth: number): number {
  const [from, to] = PRESSED_DEPTHS;
  const pressed = Math.min(1, Math.max(0, (depth - from) / (to - from)));
  return GROWTH + (LEAST_GROWTH - GROWTH) * pressed;
}

/** Bytes. A base that was cut into layers of a size that suits a registry stays in layers of about that size. */
function largestMerged(sizes: readonly number[], change: number): number {
  const total = sizes.reduce((sum, size) => sum + size, change);
  return Math.max(MERGED, total / PART, ...sizes);
}
