import { CalveError } from '../../errors/index.ts';
import { Backoff, isTemporary } from '../asking/backoff.ts';
import type { Ask, RegistryHost } from '../asking/registry-host.ts';
import { pullScope, pushScope } from '../auth/scopes.ts';
import type { HttpResponse } from '../http/message.ts';
import { limitsOf } from '../options.ts';
import type { TransferProgress } from '../transfer.ts';
import type { BlobSource } from './blob-source.ts';
import { findBlob } from './find-blob.ts';
import { findsNoPieces, hasLostStep, isFinal } from './upload-failure.ts';
import { type UploadScene, UploadSession } from './upload-session.ts';
import { checkUploadState, type UploadState } from './upload-state.ts';

export interface UploadOptions {
  /** Another repository of the registry that may have the blob: it is taken from there where that is allowed. */
  readonly mountFrom?: string | undefined;
  /** What an earlier try has left: it is gone on with, where the registry still knows of it. */
  readonly state?: UploadState | undefined;
  /** Told of each state that could be gone on from; undefined when there is nothing more to go on with. Awaited. */
  readonly onState?: ((state: UploadState | undefined) => void | Promise<void>) | undefined;
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What it took to bring a blob there. */
export interface Uploaded {
  /** The registry had it; it was taken from another repository; it was sent. */
  readonly by: 'there' | 'mount' | 'upload';
  /** Bytes that went over the wire. */
  readonly moved: number;
}

/** What all uploads to one repository share. */
export interface UploadTerms {
  readonly host: RegistryHost;
  readonly repository: string;
  /** Whether the registry was found not to take blobs in pieces. */
  refusesPieces: boolean;
}

/**
 * Brings one blob to a repository: asks whether it is there, whether it can be had from another repository, and sends it, in
 * pieces where the registry takes them. After a failure the registry is asked how much it has; a registry that has
 * forgotten the upload gets it from the beginning.
 */
export class BlobUpload {
  readonly #terms: UploadTerms;
  readonly #source: BlobSource;
  readonly #options: UploadOptions;
  readonly #scene: UploadScene;
  readonly #pieceSize: number;
  #session: UploadSession | undefined;
  /** Whether the registry may have more of it, or less, than this side thinks. */
  #isUnsure = false;
  #done = 0;
  #moved = 0;
  #there = 0;

  constructor(terms: UploadTerms, source: BlobSource, options: UploadOptions) {
    const { host, repository } = terms;
    this.#terms = terms;
    this.#source = source;
    this.#options = options;
    this.#pieceSize = limitsOf(host.options).chunkSize;
    this.#scene = {
      host,
      source,
      scopes: [pushScope(repository)],
      signal: options.signal,
      onSent: (count) => {
        this.#done += count;
        this.#moved += count;
        this.#report();
      },
    };
  }

  async run(): Promise<Uploaded> {
    const { state, signal } = this.#options;
    if (state !== undefined) {
      this.#session = UploadSession.from(this.#scene, checkUploadState(state));
      this.#isUnsure = true;
    }
    const backoff = new Backoff(this.#terms.host.options, signal);
    for (let furthest = 0; ; ) {
      try {
        return await this.#bringOn();
      } catch (error) {
        const offset = this.#session?.offset ?? 0;
        if (offset > furthest) backoff.reset();
        furthest = Math.max(furthest, offset);
        await this.#recover(error, backoff);
      }
    }
  }

  /** One try, from where the one before it has ended. */
  async #bringOn(): Promise<Uploaded> {
    await this.#findStep();
    const begun = this.#session ?? (await this.#begin());
    if (!(begun instanceof UploadSession)) return await this.#end(begun);
    const { size } = this.#source;
    if (begun.offset === 0 && !this.#goesInPieces(begun)) {
      this.#done = 0;
      await begun.sendWhole();
    } else {
      while (begun.offset < size) {
        this.#done = begun.offset;
        await begun.sendChunk(Math.min(this.#pieceOf(begun), size - begun.offset));
        await this.#options.onState?.(begun.state);
      }
      await begun.finish();
    }
    return await this.#end('upload');
  }

  /** Asks the registry where an upload stands that this side is unsure of. */
  async #findStep(): Promise<void> {
    if (!this.#isUnsure || !this.#session) return;
    if (!this.#goesInPieces(this.#session)) {
      // What came of a blob that was sent at once is of no use: it can be gone on with in pieces alone.
      await this.#giveUp(this.#session);
      return;
    }
    const isKnown = await this.#session.update().catch((error: unknown) => {
      // The address of an upload that was kept may be of no use any more: that is as if it were forgotten.
      if (this.#moved > 0 || isTemporary(error) || !CalveError.is(error, 'io')) throw error;
      return false;
    });
    this.#isUnsure = false;
    if (!isKnown) this.#session = undefined;
    else if (this.#moved === 0) this.#there = this.#session.offset;
    await this.#options.onState?.(this.#session?.state);
  }

  /** Begins an upload; or finds that none is needed. */
  async #begin(): Promise<UploadSession | 'there' | 'mount'> {
    const { host } = this.#terms;
    // Also after a failure: the answer to the end of an upload may have been lost.
    const { scopes, signal } = this.#scene;
    if ((await findBlob(host, this.#source.digest, scopes, signal)) !== undefined) return 'there';
    const response = (await this.#tryMount()) ?? (await host.ask(this.#post('', this.#scene.scopes, [202])));
    await response.body.discard();
    if (response.status === 201) return 'mount';
    this.#there = 0;
    this.#session = UploadSession.begin(this.#scene, response);
    await this.#options.onState?.(this.#session.state);
    return this.#session;
  }

  /** The answer to asking for the blob of another repository, which may be an upload; undefined where it is refused. */
  async #tryMount(): Promise<HttpResponse | undefined> {
    const { mountFrom } = this.#options;
    if (mountFrom === undefined) return undefined;
    const query = new URLSearchParams({ mount: this.#source.digest, from: mountFrom });
    const scopes = [...this.#scene.scopes, pullScope(mountFrom)];
    try {
      return await this.#terms.host.ask(this.#post(`?${query.toString()}`, scopes, [201, 202]));
    } catch (error) {
      // Who may not read there may still write here.
      if (isTemporary(error) || !CalveError.is(error) || error.data['status'] === undefined) throw error;
      return undefined;
    }
  }

  #post(query: string, scopes: readonly string[], expect: readonly number[]): Ask {
    return {
      method: 'POST',
      to: `/v2/${this.#terms.repository}/blobs/uploads/${query}`,
      scopes,
      expect,
      what: `blob ${this.#source.digest}: beginning an upload`,
      body: { length: 0, async *open() {} },
      signal: this.#options.signal,
    };
  }

  /** Makes ready for another try, or throws the error. */
  async #recover(error: unknown, backoff: Backoff): Promise<void> {
    const session = this.#session;
    if (session && session.offset === 0 && this.#goesInPieces(session) && findsNoPieces(error)) {
      this.#terms.refusesPieces = true;
      await this.#giveUp(session);
      return;
    }
    if (session && isFinal(error)) await this.#giveUp(session);
    await backoff.wait(session && hasLostStep(error) ? asTemporary(error) : error);
    this.#isUnsure = true;
  }

  #goesInPieces(session: UploadSession): boolean {
    return !this.#terms.refusesPieces && this.#source.size > this.#pieceOf(session);
  }

  #pieceOf(session: UploadSession): number {
    return Math.max(this.#pieceSize, session.smallestChunk);
  }

  async #giveUp(session: UploadSession): Promise<void> {
    this.#session = undefined;
    await this.#options.onState?.(undefined);
    // What led here is what counts; a registry forgets by itself what nobody goes on with.
    await session.cancel().catch(() => {});
  }

  async #end(by: Uploaded['by']): Promise<Uploaded> {
    await this.#options.onState?.(undefined);
    this.#done = this.#source.size;
    if (by !== 'upload' && this.#moved === 0) this.#there = this.#source.size;
    this.#report();
    return { by, moved: this.#moved };
  }

  #report(): void {
    const { size: total } = this.#source;
    const done = Math.min(this.#done, total);
    this.#options.onProgress?.({ done, total, moved: this.#moved, there: this.#there });
  }
}

/** An error that says no more than that both sides have lost step, as one that may go away. */
function asTemporary(error: CalveError): CalveError {
  return new CalveError(error.code, error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    data: { ...error.data, temporary: true },
    cause: error,
  });
}
