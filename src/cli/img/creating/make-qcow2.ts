import { CalveError } from '../../../errors/index.ts';
import { createQcow2, createQcow2In } from '../../../qcow2/index.ts';
import type { ImgContext } from '../img-context.ts';
import { imgError } from '../img-error.ts';
import { type CreationTarget, notCreated, openExport, pathOf } from './creation-target.ts';
import { qcow2Options } from './qcow2-options.ts';

/** Makes a qcow2 image. */
export async function makeQcow2(target: CreationTarget, context: ImgContext): Promise<void> {
  const { filename, protocol, given, secrets } = target;
  const options = { ...qcow2Options(given, secrets), signal: context.signal };
  try {
    if (protocol === 'nbd') {
      if (options.dataFile !== undefined) throw imgError('A data file needs an image in a file');
      await using target = await openExport(filename, context);
      await createQcow2In(target, options);
      return;
    }
    await createQcow2(pathOf(filename), {
      ...options,
      overwrite: true,
      overwriteDataFile: true,
      dataFileFolder: process.cwd(),
      sync: false,
    });
  } catch (error) {
    if (CalveError.is(error) && error.data['img'] === true) throw error;
    if (CalveError.is(error, 'out-of-range')) throw tooLarge(error);
    throw notCreated(pathOf(filename), error);
  }
}

function tooLarge(error: CalveError): CalveError {
  const { option } = error.data;
  if (option !== 'size' && option !== 'preallocation') return error;
  return imgError("The image size is too large for file format 'qcow2' (try using a larger cluster size)", {
    code: 'out-of-range',
    cause: error,
  });
}
