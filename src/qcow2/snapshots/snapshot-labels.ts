import { CalveError } from '../../errors/index.ts';
import { MAX_SNAPSHOTS } from '../constants.ts';
import type { SnapshotEntry, SnapshotLabels } from './snapshot-entry.ts';

/** How a snapshot is called. */
export interface CreateSnapshotOptions {
  /** 1 to 255 bytes of UTF-8; no other snapshot of the image has it. */
  readonly name: string;
  /** When it was taken (default now). */
  readonly date?: Date;
  /** The name may be empty, and another snapshot may have it, as `qemu-img snapshot -c` allows (default false). */
  readonly anyName?: boolean;
  /** Instructions that the guest had run (default: nobody counted). */
  readonly icount?: bigint;
  /** 1 to 127 bytes of UTF-8; no other snapshot of the image has it (default the next number). */
  readonly id?: string;
}

/** What QEMU's tools show of a name and of an id. */
const MOST_BYTES = { name: 255, id: 127 } as const;

/**
 * The labels of a snapshot that is to be made.
 * @throws CalveError `usage`, `exists`, `out-of-range`
 */
export function snapshotLabels(
  path: string,
  entries: readonly SnapshotEntry[],
  { name, date = new Date(), id = nextId(entries), anyName = false, icount }: CreateSnapshotOptions,
): SnapshotLabels {
  for (const [field, label] of [
    ['name', name],
    ['id', id],
  ] as const) {
    const bytes = Buffer.byteLength(label);
    const least = field === 'name' && anyName ? 0 : 1;
    if (bytes < least || bytes > MOST_BYTES[field] || label.includes('\0') || !label.isWellFormed()) {
      const expected = `1 to ${MOST_BYTES[field]} bytes of UTF-8 without a zero byte`;
      throw new CalveError('usage', `snapshot ${field}: expected ${expected}, got ${JSON.stringify(label)}`);
    }
    if (field === 'name' && anyName) continue;
    if (entries.some((entry) => entry[field] === label)) {
      throw new CalveError('exists', `${path} has a snapshot of ${field} ${JSON.stringify(label)}`, {
        hint: `qemu-img snapshot -l ${path}`,
        data: { path, [field]: label },
      });
    }
  }
  const milliseconds = date.getTime();
  if (!(milliseconds >= 0 && milliseconds < 2 ** 32 * 1000)) {
    throw new CalveError('out-of-range', `snapshot date: expected 1970 to 2106, got ${String(date)}`);
  }
  if (entries.length >= MAX_SNAPSHOTS) {
    throw new CalveError('out-of-range', `${path}: expected at most ${MAX_SNAPSHOTS} snapshots`);
  }
  return { id, name, date, icount };
}

/** One more than the largest number that is an id. */
function nextId(entries: readonly SnapshotEntry[]): string {
  const numbers = entries.filter(({ id }) => /^\d{1,15}$/.test(id)).map(({ id }) => Number(id));
  return String(numbers.reduce((most, number) => Math.max(most, number), 0) + 1);
}
