import { CalveError } from '../../errors/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { BlobTarget, Repository } from '../../registry/index.ts';
import type { BlobSource } from '../blob-source.ts';

/** Blobs and manifests of a repository, which is closed with it. */
export class RegistryBlobs implements BlobSource, AsyncDisposable {
  readonly name: string;
  readonly #repository: Repository;

  constructor(repository: Repository) {
    this.name = repository.name;
    this.#repository = repository;
  }

  async open(digest: Digest, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array> | undefined> {
    const { blobs, manifests } = this.#repository;
    const found = await blobs.find(digest, { signal });
    if (found === undefined) {
      if ((await manifests.find(digest, { signal })) === undefined) return undefined;
      return onePiece((await manifests.get(digest, { signal })).bytes);
    }
    if (found.size === undefined) {
      throw new CalveError(
        'unsupported',
        `${this.name}: blob ${digest}: the registry does not say how large it is`,
      );
    }
    return read(this.#repository, { digest, size: found.size }, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#repository.close();
  }
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** The bytes of a blob as they come, one piece at a time. */
async function* read(
  repository: Repository,
  blob: { readonly digest: Digest; readonly size: number },
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const pieces = new Handover();
  const ended = new AbortController();
  const either = signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]);
  const reading = repository.blobs.read(blob, pieces, { signal: either }).finally(() => pieces.end());
  // Who takes pieces learns of an error behind the last one.
  reading.catch(() => {});
  try {
    yield* pieces;
    await reading;
  } finally {
    ended.abort();
    pieces.end();
  }
}

/** A target that hands on what is written to it, and takes no more before that was used. */
class Handover implements BlobTarget {
  #piece: Uint8Array | undefined;
  #isOver = false;
  #wake = Promise.withResolvers<void>();

  stat(): { readonly size: number } {
    return { size: 0 };
  }

  async read(): Promise<number> {
    return 0;
  }

  async write(from: Uint8Array): Promise<void> {
    if (from.length === 0 || this.#isOver) return;
    this.#piece = from;
    this.#change();
    while (this.#piece !== undefined && !this.#isOver) await this.#wake.promise;
  }

  /** Called when the bytes were wrong, which whoever took them finds out too. */
  async truncate(): Promise<void> {}

  end(): void {
    this.#isOver = true;
    this.#change();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#piece !== undefined) {
        yield this.#piece;
        this.#piece = undefined;
        this.#change();
      } else if (this.#isOver) return;
      else await this.#wake.promise;
    }
  }

  #change(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
