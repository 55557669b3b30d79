import type { Snapshot } from '../../../qcow2/index.ts';
import { humanSize } from '../printing/human-size.ts';

/** The table of snapshots for people, heading and all. */
export function snapshotLines(snapshots: readonly Snapshot[]): string[] {
  const head = row(['ID', 'TAG', 'VM SIZE', 'DATE', 'VM CLOCK', 'ICOUNT']);
  return ['Snapshot list:', head, ...snapshots.map(lineOf)];
}

function lineOf({ id, name, vmStateSize, date, vmClock, icount }: Snapshot): string {
  return row([id, name, humanSize(vmStateSize), localTime(date), clockTime(vmClock), icount ?? '']);
}

/** Columns, which what is too long for them pushes on. */
function row(cells: readonly unknown[]): string {
  return cells
    .map(String)
    .map((cell, at) => {
      // Filled up by bytes, as C's printf() does.
      const filling = ' '.repeat(Math.max(0, (WIDTHS[at] ?? 0) - Buffer.byteLength(cell)));
      return at < 2 ? cell + filling : filling + cell;
    })
    .join(' ');
}

const WIDTHS = [9, 16, 8, 19, 12, 10];

function localTime(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Nanoseconds as hours, minutes, seconds and milliseconds. */
function clockTime(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  const two = (value: bigint) => String(value).padStart(2, '0');
  const milliseconds = String((nanoseconds / 1_000_000n) % 1000n).padStart(3, '0');
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}.${milliseconds}`;
}
