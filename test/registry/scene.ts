import { createCipheriv } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { HostFile } from '../../src/host/host-file.ts';
import { openFile } from '../../src/host/index.ts';
import { type Digest, digestOf } from '../../src/oci/index.ts';
import { type BlobSource, blobSourceOf, type RegistryOptions } from '../../src/registry/index.ts';

/** Bytes that do not repeat, the same for the same seed: a cipher's key stream. */
export function randomBytes(length: number, seed = 1): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A blob in a file, as who sends and who wants it see it. */
export interface TestBlob extends AsyncDisposable {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly size: number;
  readonly source: BlobSource;
  readonly file: HostFile;
}

export async function blobInFile(path: string, bytes: Buffer): Promise<TestBlob> {
  await writeFile(path, bytes);
  const file = await openFile(path);
  const digest = digestOf(bytes);
  const { length: size } = bytes;
  const source = blobSourceOf(file, digest, size);
  return { bytes, digest, size, source, file, [Symbol.asyncDispose]: () => file.close() };
}

/** How tests speak to a registry: nobody's credentials, no proxy, no waiting, and what was waited for told. */
export function testOptions(options: RegistryOptions = {}): RegistryOptions & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    plainHttp: true,
    env: { HOME: '/nowhere', PATH: process.env['PATH'] },
    async wait(milliseconds) {
      waits.push(milliseconds);
    },
    ...options,
    waits,
  };
}
