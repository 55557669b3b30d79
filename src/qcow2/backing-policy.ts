import type { Disk } from '../disk/index.ts';
import { CalveError } from '../errors/index.ts';
import type { Chain } from './chain.ts';

/** That an image names a backing file. */
export interface BackingRequest {
  /** The image that names it, as it was opened. */
  readonly imagePath: string;
  /** What it names, word for word. Untrusted. */
  readonly backingFile: string;
  readonly backingFormat: string | undefined;
  /** How many images lie above the backing file: 1 and up. */
  readonly depth: number;
  /** Their paths, links resolved, from the top down. */
  readonly ancestors: readonly string[];
  /** To be passed to `openQcow2`, so that cycles are found and caches shared. */
  readonly chain: Chain;
}

/**
 * Decides what an image is based on; called when it names a backing file. The disk is closed with the image. Null
 * reads zeros in its place, for tools that look at one file alone.
 */
export type BackingPolicy = (request: BackingRequest) => Promise<Disk | null>;

/** Follows nothing: the policy for images that came from outside. */
export const denyBacking: BackingPolicy = (request) => {
  const { imagePath, backingFile } = request;
  const name = JSON.stringify(backingFile);
  return Promise.reject(
    new CalveError('denied', `${imagePath}: its backing file ${name} is not followed`, {
      data: { imagePath, backingFile },
    }),
  );
};
