import { createRaw } from '../../../img/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { type CreationTarget, notCreated, openExport, pathOf } from './creation-target.ts';

const SECTOR = 512;
const MODES = ['off', 'falloc', 'full'] as const;

/** Makes a raw image. */
export async function makeRaw(
  { filename, protocol, given }: CreationTarget,
  context: ImgContext,
): Promise<void> {
  const size = Math.ceil(Number(given.get('size')) / SECTOR) * SECTOR;
  const wanted = given.get('preallocation') ?? 'off';
  const preallocation = MODES.find((mode) => mode === wanted);
  if (preallocation === undefined) {
    throw imgError(
      wanted === 'metadata'
        ? 'Unsupported preallocation mode: metadata'
        : `Parameter 'preallocation' does not accept value '${wanted}'`,
    );
  }
  if (!Number.isSafeInteger(size)) throw imgError("The image size is too large for file format 'raw'");
  if (protocol === 'nbd') {
    await using target = await openExport(filename, context);
    if (target.size < size) throw imgError('Could not resize image: Operation not supported');
    return;
  }
  const path = pathOf(filename);
  try {
    await createRaw(path, { size, preallocation, signal: context.signal });
  } catch (error) {
    throw notCreated(path, error);
  }
}
