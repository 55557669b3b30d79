import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, Progress } from './progress.ts';

const MiB = 1 << 20;

function watched(options: { isTTY?: boolean; columns?: number; silent?: boolean }) {
  const written: string[] = [];
  const clock = { now: 0 };
  const { silent = false, ...terminal } = options;
  const stream = { ...terminal, write: (text: string): number => written.push(text) };
  const progress = new Progress('disk.raw', { stream, silent, now: () => clock.now });
  const step = (now: number, done: number, total = 100 * MiB): void => {
    clock.now = now;
    progress.update({ phase: 'reading', done, total });
  };
  return { written, progress, step };
}

test('elsewhere than on a terminal there is at most one line a second, and only when the percentage changed', () => {
  const { written, progress, step } = watched({});
  for (let now = 0; now <= 3000; now += 10) step(now, Math.floor(now / 1500) * 10 * MiB);
  progress.end();
  assert.equal(written.length, 3);
  assert.match(written[0] ?? '', /^reading disk\.raw: 0%, 0 B of 100 MiB\n$/);
  assert.match(written[1] ?? '', /^reading disk\.raw: 10%, 10 MiB of 100 MiB, 5 MiB\/s, 18 s left\n$/);
});

test('work that is over within a second says nothing', () => {
  const { written, progress, step } = watched({});
  for (let now = 0; now < 1000; now += 100) step(now, now * 1000);
  progress.end();
  assert.deepEqual(written, []);
});

test('on a terminal the bar is redrawn in place, fits the width, and is erased at the end', () => {
  const { written, progress, step } = watched({ isTTY: true, columns: 100 });
  for (let now = 0; now <= 1000; now += 10) step(now, (now * MiB) / 20);
  assert.ok(written.length <= 11, `${written.length} drawings`);
  for (const text of written) {
    assert.ok(text.startsWith('\r\x1b[K'), 'starts at the line it redraws');
    assert.ok(!text.includes('\n') && text.length - '\r\x1b[K'.length < 100, text);
  }
  assert.match(written.at(-1) ?? '', /\[#{12}\.{12}\] {2}50%/);
  progress.end();
  assert.equal(written.at(-1), '\r\x1b[K');
});

test('a narrow terminal has a shorter bar, then none, and the line never breaks', () => {
  for (const [columns, shown] of [
    [74, /^reading disk\.raw \[#{5}\.{5}\] {2}50% .* left$/],
    [62, /^reading disk\.raw {2}50% .* left$/],
    [30, /^reading disk\.raw {2}50% {2}50 MiB$/],
  ] as const) {
    const { written, step } = watched({ isTTY: true, columns });
    for (let now = 0; now <= 1000; now += 100) step(now, (now * MiB) / 20);
    const line = (written.at(-1) ?? '').replace('\r\x1b[K', '');
    assert.match(line, shown);
    assert.ok(line.length < columns);
  }
});

test('a silent one writes nothing', () => {
  const { written, progress, step } = watched({ isTTY: true, silent: true });
  for (let now = 0; now <= 5000; now += 10) step(now, now);
  progress.end();
  assert.deepEqual(written, []);
});

test('a duration is told in its two largest units', () => {
  assert.equal(formatDuration(0.2), '1 s');
  assert.equal(formatDuration(59.1), '1 min 0 s');
  assert.equal(formatDuration(130), '2 min 10 s');
  assert.equal(formatDuration(3900), '1 h 5 min');
});
