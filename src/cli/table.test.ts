import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTable } from './table.ts';

test('columns are as wide as their widest cell, numbers stand to the right', () => {
  const lines = formatTable(
    [
      { title: 'NAME', cell: (row: { name: string; size: string }) => row.name },
      { title: 'SIZE', cell: (row) => row.size, align: 'right' },
      { title: 'NOTE', cell: () => '' },
    ],
    [
      { name: 'quiet-otter', size: '1 B' },
      { name: 'a', size: '1023 MiB' },
    ],
  );
  assert.deepEqual(lines, ['NAME             SIZE  NOTE', 'quiet-otter       1 B', 'a            1023 MiB']);
});

test('a table without rows is its headings', () => {
  assert.deepEqual(
    formatTable(
      [
        { title: 'NAME', cell: String },
        { title: 'REF', cell: String },
      ],
      [],
    ),
    ['NAME  REF'],
  );
});

test('control characters in a cell do not reach the terminal', () => {
  const [, line] = formatTable([{ title: 'X', cell: (row: string) => row }], ['a\x1b[2Jb\nc\u009b']);
  assert.equal(line, 'a\\x1b[2Jb\\x0ac\\x9b');
});
