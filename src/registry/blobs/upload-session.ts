import { CalveError } from '../../errors/index.ts';
import type { Ask, RegistryHost } from '../asking/registry-host.ts';
import type { HttpResponse } from '../http/message.ts';
import type { BlobSource } from './blob-source.ts';
import { uploadedBytes } from './content-range.ts';
import type { UploadState } from './upload-state.ts';

const BYTES = 'application/octet-stream';

/** What an upload's requests have in common. */
export interface UploadScene {
  readonly host: RegistryHost;
  readonly source: BlobSource;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly onSent: (count: number) => void;
}

/**
 * One upload of distribution-spec 1.1: where its next request goes, which every answer may change, and how many bytes the
 * registry has of it. Each member is one request.
 */
export class UploadSession {
  readonly #scene: UploadScene;
  /** The least that the registry takes at a time, but for the last of it (OCI-Chunk-Min-Length). */
  readonly smallestChunk: number;
  #location: URL;
  #offset: number;

  private constructor(scene: UploadScene, location: URL, offset: number, smallestChunk: number) {
    this.#scene = scene;
    this.#location = location;
    this.#offset = offset;
    this.smallestChunk = smallestChunk;
  }

  /** Begins an upload with the answer (202) to the POST that asked for it. */
  static begin(scene: UploadScene, response: HttpResponse): UploadSession {
    const least = Number(response.headers['oci-chunk-min-length'] ?? 0);
    const smallest = Number.isSafeInteger(least) && least > 0 ? least : 0;
    return new UploadSession(scene, scene.host.location(response), 0, smallest);
  }

  /** An upload that was begun earlier: `update` has to find out where it stands. */
  static from(scene: UploadScene, state: UploadState): UploadSession {
    return new UploadSession(scene, new URL(state.location), state.offset, state.smallestChunk);
  }

  /** Bytes that the registry has. */
  get offset(): number {
    return this.#offset;
  }

  get state(): UploadState {
    return { location: this.#location.href, offset: this.#offset, smallestChunk: this.smallestChunk };
  }

  /**
   * Asks the registry how many bytes it has.
   * @returns false when it knows nothing of this upload any more
   */
  async update(): Promise<boolean> {
    const response = await this.#ask({
      method: 'GET',
      to: this.#location,
      // 204 says the specification; others were met.
      expect: [200, 202, 204, 400, 404, 410, 416],
      what: 'asking how far the upload is',
    });
    await response.body.discard();
    if (response.status >= 400) return false;
    const offset = uploadedBytes(response.headers.range, this.#scene.source.size);
    if (offset === undefined) return false;
    this.#goOn(response, offset);
    return true;
  }

  /**
   * Sends the next bytes.
   * @throws CalveError as the answer says; `io` (temporary) when the registry has got no further by them
   */
  async sendChunk(length: number): Promise<void> {
    const { source } = this.#scene;
    const first = this.#offset;
    const response = await this.#ask({
      method: 'PATCH',
      to: this.#location,
      expect: [202, 201, 204],
      what: 'sending a piece of it',
      headers: { 'content-type': BYTES, 'content-range': `${first}-${first + length - 1}` },
      body: this.#body(first, length),
    });
    await response.body.discard();
    const told = response.headers.range;
    const offset = told === undefined ? first + length : uploadedBytes(told, source.size);
    if (offset === undefined || offset <= first || offset > first + length) {
      throw new CalveError(
        'io',
        `${this.#what('sending a piece of it')}: expected Range 0-${first + length - 1}, got ${JSON.stringify(told)}`,
        { data: { registry: this.#scene.host.host, temporary: true } },
      );
    }
    this.#goOn(response, offset);
  }

  /** Ends an upload whose bytes are all there: the registry checks them against the digest. */
  async finish(): Promise<void> {
    await this.#put('checking what was sent', {
      headers: { 'content-type': BYTES },
      body: this.#body(this.#offset, 0),
    });
  }

  /** Sends the whole blob in the one request that ends the upload. */
  async sendWhole(): Promise<void> {
    await this.#put('sending it', {
      headers: { 'content-type': BYTES },
      body: this.#body(0, this.#scene.source.size),
    });
  }

  /** Tells the registry that nothing more comes: it forgets what it has. */
  async cancel(): Promise<void> {
    const response = await this.#ask({
      method: 'DELETE',
      to: this.#location,
      expect: [200, 202, 204, 404, 405, 410],
      what: 'cancelling the upload',
    });
    await response.body.discard();
  }

  async #put(what: string, rest: Pick<Ask, 'headers' | 'body'>): Promise<void> {
    const to = new URL(this.#location);
    // Not by searchParams: that would write what the registry put there anew, in another spelling.
    to.search += `${to.search === '' ? '?' : '&'}digest=${encodeURIComponent(this.#scene.source.digest)}`;
    const response = await this.#ask({ method: 'PUT', to, expect: [201, 202, 204], what, ...rest });
    await response.body.discard();
    const told = response.headers['docker-content-digest'];
    if (told !== undefined && told !== this.#scene.source.digest) {
      throw new CalveError('changed', `${this.#what(what)}: the registry calls it ${JSON.stringify(told)}`, {
        data: { registry: this.#scene.host.host, temporary: false },
      });
    }
  }

  #ask(ask: Omit<Ask, 'scopes' | 'signal'>): Promise<HttpResponse> {
    const { host, scopes, signal, source } = this.#scene;
    return host.ask({ ...ask, what: `blob ${source.digest}: ${ask.what}`, scopes, signal });
  }

  #body(offset: number, length: number): NonNullable<Ask['body']> {
    const { source, onSent } = this.#scene;
    const open = () => (length === 0 ? nothing() : source.read(offset, length));
    return { length, open, onSent };
  }

  #goOn(response: HttpResponse, offset: number): void {
    if (response.headers.location !== undefined) this.#location = this.#scene.host.location(response);
    this.#offset = offset;
  }

  #what(doing: string): string {
    return `${this.#scene.host.where}: blob ${this.#scene.source.digest}: ${doing}`;
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
