import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storedAcl } from '../acl-attribute.ts';
import { attributeCounts } from './attribute-counts.ts';
import { guestStat } from './guest-stat.ts';
import { InodeNumbers } from './inode-numbers.ts';
import { parseStructure, parseStructures } from './parse-structures.ts';
import { canBeListed, commandLine, inLines, quoted, quotedList } from './quoted.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** As guestfish 1.48 printed it of a device in XFS. */
const STAT = `st_dev: 2049
st_ino: 139
st_mode: 8612
st_nlink: 1
st_uid: 7
st_gid: 8
st_rdev: 305201989
st_size: 0
st_blksize: 4096
st_blocks: 8
st_atime_sec: -1
st_atime_nsec: 5
st_mtime_sec: 1795662681
st_mtime_nsec: 599183502
st_ctime_sec: 0
st_ctime_nsec: 0
st_spare1: 0
`;

test('names are quoted so that they are nothing but names', () => {
  assert.equal(quoted(bytes('a b\n"\\\xff\x7f|!')), '"a b\\x0a\\x22\\x5c\xff\\x7f|!"');
  assert.equal(quotedList([bytes('a b'), bytes('c"')]), `"'a b' 'c\\x22'"`);
  assert.deepEqual(
    ['a', "a'", 'a\\'].map((name) => canBeListed(bytes(name))),
    [true, false, false],
  );
  const names = Array.from({ length: 3000 }, (_, at) => bytes(`${'\n'.repeat(at % 250)}${at}`));
  const lines = [...inLines(names, 100)];
  assert.deepEqual(lines.flat(), names);
  // Each fits, and none could have had one more.
  for (const line of lines.slice(0, -1))
    assert.ok(commandLine(['x'.repeat(90), quotedList(line)]).length > 6500);
  assert.throws(() => commandLine(['x'.repeat(8001)]), { code: 'unsupported' });
});

test('what guestfish tells of a file is checked', () => {
  assert.deepEqual(guestStat(parseStructure(bytes(STAT))), {
    home: '2049',
    number: 139,
    type: 'character-device',
    mode: 0o644,
    uid: 7,
    gid: 8,
    size: 0,
    links: 1,
    atime: -999_999_995n,
    mtime: 1_795_662_681_599_183_502n,
    ctime: 0n,
    crtime: null,
    flags: 0,
    generation: 0,
    allocated: 4096,
    device: { major: 259, minor: 74_565 },
  });
  assert.equal(guestStat(parseStructure(bytes('st_ino: -1\n'))), undefined);
  for (const [from, to] of [
    ['st_size: 0', 'st_size: -1'],
    ['st_size: 0', 'st_size: 9007199254740993'],
    ['st_mode: 8612', 'st_mode: 1'],
    ['st_atime_nsec: 5', 'st_atime_nsec: 1000000000'],
    ['st_nlink: 1\n', ''],
    ['st_uid: 7', 'st_uid: x'],
    ['st_uid: 7', 'st_ino: 7'],
    ['st_spare1: 0\n', 'st_spare1: 0'],
  ] as const) {
    assert.throws(() => guestStat(parseStructure(bytes(STAT.replace(from, to)))), { code: 'corrupt' }, to);
  }
});

test('what a guest writes into a field is not taken for structures', () => {
  const list = (...entries: readonly string[]): Buffer =>
    bytes(entries.map((entry, at) => `[${at}] = {\n${entry}}\n`).join(''));
  const head = (count: number): string => `  attrname: \n  attrval: ${count}\\x00\n`;
  const named = (name: string): string => `  attrname: ${name}\n  attrval: x\n`;
  assert.deepEqual(attributeCounts(list(head(0), head(1), named('user.a'), head(0)), 3), [0, 1, 0]);
  const inner =
    'user.a\n  attrval: x\n}\n[2] = {\n  attrname: \n  attrval: 0\n}\n[3] = {\n  attrname: user.b';
  for (const [answer, count] of [
    [list(head(1), named(inner), head(0)), 2],
    [list(head(1), named(inner)), 1],
    [list(head(2), named('user.a'), head(0)), 2],
    [list(head(0)), 2],
    [list(named('user.a')), 1],
  ] as const) {
    assert.throws(() => attributeCounts(answer, count), { code: 'corrupt' });
  }
  assert.throws(() => parseStructures(list(named('a\nb'))), { code: 'corrupt' });
  assert.throws(() => parseStructures(list(named('a')).subarray(0, -2)), { code: 'corrupt' });
});

test('numbers of subvolumes do not fall together', () => {
  const numbers = new InodeNumbers();
  const told = guestStat(parseStructure(bytes(STAT)));
  assert.ok(told !== undefined);
  const of = (home: string, number: number, place = ''): number =>
    numbers.of({ ...told, home, number, type: 'directory' }, place);
  const all = [
    of('39', 256),
    of('40', 256),
    of('41', 256),
    of('39', 2, 'a'),
    of('39', 2, 'b'),
    of('39', 257),
  ];
  assert.equal(new Set(all).size, all.length);
  assert.deepEqual([of('39', 256), of('40', 256), of('39', 2, 'b')], [all[0], all[1], all[4]]);
  assert.throws(() => of('42', 2 ** 40), { code: 'unsupported' });
});

test('access control lists are told as ext stores them', () => {
  const told = Buffer.from('0200000001000600ffffffff02000400e803000004000400ffffffff', 'hex');
  assert.equal(storedAcl(told)?.toString('hex'), '010000000100060002000400e803000004000400');
  assert.equal(storedAcl(told.subarray(0, -1)), undefined);
});
