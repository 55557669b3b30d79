import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Field, fieldsOf } from './fields.ts';

/** Where the images lie that are mutated; `make-corpus.ts` makes them. */
export const CORPUS_FOLDER: string = join(import.meta.dirname, 'corpus');
/** What opens the encrypted ones. */
export const PASSPHRASE = 'calf';

/** A sound image to mutate. */
export interface Original {
  readonly name: string;
  readonly bytes: Buffer;
  /** Everything in it that means something, by what it belongs to. */
  readonly fields: ReadonlyMap<string, readonly Field[]>;
}

/** All of them, by name. */
export function readCorpus(): Original[] {
  const names = readdirSync(CORPUS_FOLDER).sort();
  return names.map((name) => {
    const bytes = gunzipSync(readFileSync(join(CORPUS_FOLDER, name)));
    return { name: name.replace('.qcow2.gz', ''), bytes, fields: fieldsOf(bytes) };
  });
}
