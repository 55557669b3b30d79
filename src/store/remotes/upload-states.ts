import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CalveError, systemError } from '../../errors/index.ts';
import { statFile } from '../../host/index.ts';
import { type Digest, digestOf, hexOf } from '../../oci/index.ts';
import { checkUploadState, type UploadState } from '../../registry/index.ts';
import type { StoreContext } from '../context.ts';
import { readText } from '../read-text.ts';

/** An upload's address may let in who has it. */
const PRIVATE = 0o600;

/** Where uploads to one repository stand that were cut off: `partial/<hex>.<of the repository>.upload`. */
export class UploadStates {
  readonly #context: StoreContext;
  readonly #suffix: string;

  constructor(context: StoreContext, repository: string) {
    this.#context = context;
    this.#suffix = `${hexOf(digestOf(repository)).slice(0, 16)}.upload`;
  }

  /** What is known of an upload of this layer; undefined when none was cut off, or nothing can be made of it. */
  async find(layer: Digest): Promise<UploadState | undefined> {
    const path = this.#path(layer);
    if (statFile(path) === undefined) return undefined;
    try {
      return checkUploadState(JSON.parse(await readText(path)));
    } catch (error) {
      // Then the layer is sent from its beginning.
      if (
        error instanceof SyntaxError ||
        CalveError.is(error, 'invalid') ||
        CalveError.is(error, 'not-found')
      ) {
        return undefined;
      }
      throw error;
    }
  }

  /**
   * Keeps where an upload stands; undefined forgets it. In place and without a sync, as a stamp: what a crash tears, or a
   * full or read-only file system refuses, costs sending the layer anew.
   */
  keep(layer: Digest, state: UploadState | undefined): void {
    const path = this.#path(layer);
    try {
      if (state === undefined) {
        rmSync(path, { force: true });
      } else if (state.offset > 0) {
        mkdirSync(this.#context.layout.partial, { recursive: true });
        writeFileSync(path, JSON.stringify(state), { mode: PRIVATE });
      }
    } catch (error) {
      const failed = systemError(`cannot write ${path}`, error);
      if (failed.code !== 'no-space' && failed.code !== 'denied') throw failed;
    }
  }

  #path(layer: Digest): string {
    return join(this.#context.layout.partial, `${hexOf(layer)}.${this.#suffix}`);
  }
}
