import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type * as v from 'valibot';
import { CalveError, systemError } from '../errors/index.ts';
import { openFile } from '../host/index.ts';
import { canonicalJson, parseDocument } from '../oci/index.ts';

/**
 * Logs of the store: a JSON document a line, appended durably under the store lock, never changed. A last line
 * without its end is what a crash left of one that was being written: nobody reads it, and the next one takes its
 * place.
 */

const NEWLINE = 0x0a;
const CHUNK = 65536;

/** A log, open, and its path for what goes wrong. */
interface OpenLog {
  readonly path: string;
  readonly fd: number;
}

/** Appends a line, durably. The store lock is held. */
export async function appendLine(path: string, document: unknown): Promise<void> {
  await using file = await openLog(path);
  const end = wholeLinesEnd(file, file.stat().size);
  await file.truncate(end);
  await file.write(Buffer.from(`${canonicalJson(document)}\n`), end);
  await file.sync();
}

/**
 * The lines, last first, read from the end as the caller goes along; none where there is no log.
 * @throws CalveError `corrupt` naming the line's place and field
 */
export function* linesFromEnd<T>(path: string, schema: v.GenericSchema<unknown, T>): Generator<T> {
  const log = openToRead(path);
  if (log === undefined) return;
  try {
    let end = wholeLinesEnd(log, sizeOf(log));
    let tail = Buffer.alloc(0);
    while (end > 0) {
      const start = Math.max(0, end - CHUNK);
      tail = Buffer.concat([readRange(log, start, end), tail]);
      // All lines but the first, whose beginning may lie before this chunk.
      for (let to = tail.length - 1; to > 0; ) {
        const from = tail.lastIndexOf(NEWLINE, to - 1) + 1;
        if (from === 0 && start > 0) break;
        yield parseDocument(tail.toString('utf8', from, to), schema, `${path} at byte ${start + from}`);
        tail = tail.subarray(0, from);
        to = from - 1;
      }
      end = start;
    }
  } finally {
    closeSync(log.fd);
  }
}

/** Where the whole lines of a log end, bytes; 0 where there is no log. */
export function endOfLines(path: string): number {
  const log = openToRead(path);
  if (log === undefined) return 0;
  try {
    return wholeLinesEnd(log, sizeOf(log));
  } finally {
    closeSync(log.fd);
  }
}

/**
 * The lines that stand between two places, in their order. Both are ends of lines.
 * @throws CalveError `corrupt` naming the line's place and field
 */
export function* linesBetween<T>(
  path: string,
  schema: v.GenericSchema<unknown, T>,
  from: number,
  to: number,
): Generator<T> {
  const log = from < to ? openToRead(path) : undefined;
  if (log === undefined) return;
  try {
    let rest = Buffer.alloc(0);
    for (let at = from; at < to; at += CHUNK) {
      rest = Buffer.concat([rest, readRange(log, at, Math.min(to, at + CHUNK))]);
      let begin = 0;
      for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, begin)) {
        const place = Math.min(to, at + CHUNK) - rest.length + begin;
        yield parseDocument(rest.toString('utf8', begin, end), schema, `${path} at byte ${place}`);
        begin = end + 1;
      }
      rest = rest.subarray(begin);
    }
  } finally {
    closeSync(log.fd);
  }
}

function openToRead(path: string): OpenLog | undefined {
  try {
    return { path, fd: openSync(path, 'r') };
  } catch (error) {
    const failed = systemError(`cannot open ${path}`, error);
    if (failed.code === 'not-found') return undefined;
    throw failed;
  }
}

/** The length of the log without a last line that was not finished. */
function wholeLinesEnd(log: OpenLog, size: number): number {
  for (let end = size; end > 0; end -= CHUNK) {
    const start = Math.max(0, end - CHUNK);
    const at = readRange(log, start, end).lastIndexOf(NEWLINE);
    if (at >= 0) return start + at + 1;
  }
  return 0;
}

function readRange(log: OpenLog, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  try {
    const count = readSync(log.fd, bytes, 0, bytes.length, start);
    return bytes.subarray(0, count);
  } catch (error) {
    throw systemError(`cannot read ${log.path}`, error);
  }
}

function sizeOf(log: OpenLog): number {
  try {
    return fstatSync(log.fd).size;
  } catch (error) {
    throw systemError(`cannot stat ${log.path}`, error);
  }
}

async function openLog(path: string) {
  try {
    return await openFile(path, { writable: true });
  } catch (error) {
    if (!CalveError.is(error, 'not-found')) throw error;
    return openFile(path, { create: true });
  }
}
