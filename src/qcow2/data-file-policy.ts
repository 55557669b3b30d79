import { CalveError } from '../errors/index.ts';
import type { ImageStorage } from './image-storage.ts';

/** That an image keeps its guest data in a file of its own. */
export interface DataFileRequest {
  /** The image that names it, as it was opened. */
  readonly imagePath: string;
  /** What it names, word for word; undefined when it names none. Untrusted. */
  readonly dataFile: string | undefined;
  readonly writable: boolean;
  /** Whether QEMU's image lock is wanted on it, as it is on the image. */
  readonly lock: boolean;
  /** The images of the chain from the top down to this one, links resolved: none of them can be its data file. */
  readonly ancestors: readonly string[];
}

/** Opens the data file of an image; called when it has one. The file is closed with the image's disk. */
export type DataFilePolicy = (request: DataFileRequest) => Promise<ImageStorage>;

/** Opens nothing: the policy for images that came from outside, and the default. */
export const denyDataFile: DataFilePolicy = ({ imagePath, dataFile }) => {
  const name = dataFile === undefined ? 'which it does not name' : JSON.stringify(dataFile);
  return Promise.reject(
    new CalveError('denied', `${imagePath}: its data file, ${name}, is not opened`, {
      hint: 'if you trust the image, open it with { dataFile: followDataFile() }',
      data: { imagePath, dataFile: dataFile ?? null },
    }),
  );
};
