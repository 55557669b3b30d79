import { createHash, type Hash } from 'node:crypto';
import { CalveError } from '../../errors/index.ts';
import { type Digest, digestOfHex } from '../../oci/index.ts';
import { Backoff } from '../asking/backoff.ts';
import type { RegistryHost } from '../asking/registry-host.ts';
import type { HttpResponse } from '../http/message.ts';
import { limitsOf } from '../options.ts';
import type { TransferProgress } from '../transfer.ts';
import { BatchedWriter } from './batched-writer.ts';
import type { BlobTarget } from './blob-target.ts';
import { type ByteRange, checkContentRange } from './content-range.ts';

/** What is wanted. */
export interface WantedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface ReadBlobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
}

/** Bytes that are read at a time to hash what is there already. */
const REREAD = 1 << 20;

/**
 * Reads one blob into a target. What the target holds already is taken for the blob's beginning: it is hashed, and the rest
 * asked for as a closed range. A lost connection is gone on from where it ended. All bytes are hashed, in order, before this
 * resolves; when they are not the blob's, and some were of an earlier try, everything is read once more.
 */
export class BlobReading {
  readonly #host: RegistryHost;
  readonly #wanted: WantedBlob;
  readonly #target: BlobTarget;
  readonly #options: ReadBlobOptions;
  readonly #path: string;
  readonly #scopes: readonly string[];
  #hash: Hash = createHash('sha256');
  /** Bytes of the target that were hashed. */
  #done = 0;
  #moved = 0;
  #there = 0;
  /** False when the server was found not to keep to ranges. */
  #useRanges = true;

  constructor(
    host: RegistryHost,
    path: string,
    scopes: readonly string[],
    wanted: WantedBlob,
    target: BlobTarget,
    options: ReadBlobOptions,
  ) {
    this.#host = host;
    this.#path = path;
    this.#scopes = scopes;
    this.#wanted = wanted;
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<TransferProgress> {
    await this.#takeWhatIsThere();
    const fromBefore = this.#done > 0;
    await this.#readToEnd();
    const found = this.#digest();
    if (found === this.#wanted.digest) return this.#progress();
    // Not to be gone on from another time.
    await this.#startOver();
    if (!fromBefore) throw this.#changed(found);
    await this.#readToEnd();
    const again = this.#digest();
    if (again === this.#wanted.digest) return this.#progress();
    await this.#startOver();
    throw this.#changed(again);
  }

  async #takeWhatIsThere(): Promise<void> {
    const { size } = this.#target.stat();
    if (size > this.#wanted.size) {
      await this.#startOver();
      return;
    }
    const piece = Buffer.allocUnsafe(Math.min(REREAD, size));
    while (this.#done < size) {
      if (this.#options.signal?.aborted) throw this.#aborted();
      const count = await this.#target.read(
        piece.subarray(0, Math.min(piece.length, size - this.#done)),
        this.#done,
      );
      if (count === 0) break;
      this.#hash.update(piece.subarray(0, count));
      this.#done += count;
    }
    this.#there = this.#done;
    this.#report();
  }

  async #readToEnd(): Promise<void> {
    const backoff = new Backoff(this.#host.options, this.#options.signal);
    for (let furthest = this.#done; this.#done < this.#wanted.size; ) {
      try {
        await this.#readOn();
      } catch (error) {
        if (this.#done > furthest) backoff.reset();
        furthest = Math.max(furthest, this.#done);
        await backoff.wait(error);
      }
    }
  }

  async #readOn(): Promise<void> {
    const range = { first: this.#done, last: this.#wanted.size - 1 };
    // The whole is asked for without a range: that is what every server can do.
    const asRange = range.first > 0 && this.#useRanges;
    const response = await this.#host.ask({
      method: 'GET',
      to: this.#path,
      scopes: this.#scopes,
      // A server that cannot do with ranges may say so by 416; what is wrong otherwise, asking for all tells.
      expect: asRange ? [200, 206, 416] : [200],
      what: this.#what,
      headers: asRange ? { range: `bytes=${range.first}-${range.last}` } : {},
      expectsMuch: range.last + 1 - range.first >= limitsOf(this.#host.options).ownConnectionSize,
      signal: this.#options.signal,
    });
    const sent = await this.#rangeSent(response, range);
    if (sent) await this.#take(response, sent);
  }

  /** Which bytes of the blob the body has; undefined when it is of no use, and all is to be asked for. */
  async #rangeSent(response: HttpResponse, range: ByteRange): Promise<ByteRange | undefined> {
    const { status, headers } = response;
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      await response.body.discard();
      throw this.#broken(`expected the bytes as they are, got them in ${encoding}`, false);
    }
    if (status === 200) {
      const length = headers['content-length'];
      if (length === undefined || Number(length) === this.#wanted.size) return { ...range, first: 0 };
      await response.body.discard();
      throw new CalveError('changed', `${this.#where}: expected ${this.#wanted.size} bytes, got ${length}`, {
        data: this.#data(false),
      });
    }
    try {
      if (status === 206) {
        return checkContentRange(headers['content-range'], range, this.#wanted.size, this.#where);
      }
    } catch (error) {
      if (!CalveError.is(error, 'invalid')) throw error;
    }
    this.#useRanges = false;
    await response.body.discard();
    return undefined;
  }

  async #take(response: HttpResponse, sent: ByteRange): Promise<void> {
    const writer = new BatchedWriter(this.#target, this.#done, sent.last + 1 - this.#done);
    const end = sent.last + 1;
    let toSkip = this.#done - sent.first;
    try {
      for await (const piece of response.body) {
        this.#moved += piece.length;
        const bytes = piece.subarray(Math.min(toSkip, piece.length));
        toSkip -= piece.length - bytes.length;
        if (this.#done + bytes.length > end) {
          throw new CalveError('changed', `${this.#where}: expected ${end} bytes, got more`, {
            data: this.#data(false),
          });
        }
        if (bytes.length > 0) await writer.write(bytes);
        this.#hash.update(bytes);
        this.#done += bytes.length;
        this.#report();
      }
    } finally {
      // What came before a connection broke is kept: the hash has taken it.
      await writer.flush();
    }
    if (this.#done < end) throw this.#broken(`expected ${end} bytes, got ${this.#done}`, true);
  }

  async #startOver(): Promise<void> {
    await this.#target.truncate(0);
    this.#hash = createHash('sha256');
    this.#done = 0;
    this.#there = 0;
  }

  #digest(): Digest {
    return digestOfHex(this.#hash.digest('hex'));
  }

  #report(): void {
    this.#options.onProgress?.(this.#progress());
  }

  #progress(): TransferProgress {
    return { done: this.#done, total: this.#wanted.size, moved: this.#moved, there: this.#there };
  }

  get #what(): string {
    return `blob ${this.#wanted.digest}`;
  }

  get #where(): string {
    return `${this.#host.where}: ${this.#what}`;
  }

  #data(temporary: boolean): Record<string, unknown> {
    const { host: registry, repository } = this.#host;
    return { registry, repository, digest: this.#wanted.digest, temporary };
  }

  #broken(reason: string, temporary: boolean): CalveError {
    return new CalveError(temporary ? 'io' : 'invalid', `${this.#where}: ${reason}`, {
      data: this.#data(temporary),
    });
  }

  #changed(found: Digest): CalveError {
    return new CalveError('changed', `${this.#where}: the bytes that came hash to ${found}`, {
      hint: 'the registry, or something on the way, gives out other bytes: push the blob again, or pull from elsewhere',
      data: { ...this.#data(false), found },
    });
  }

  #aborted(): CalveError {
    return new CalveError('aborted', `${this.#where}: reading was ended`, {
      cause: this.#options.signal?.reason,
    });
  }
}
