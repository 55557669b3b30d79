import { CalveError } from '../../errors/index.ts';
import type { HostFile } from '../../host/index.ts';
import { checkQcow2, readHeader } from '../../qcow2/index.ts';
import { describeCheck } from '../describe-check.ts';
import { isQcow2File } from '../is-qcow2-file.ts';
import type { LayerInfo } from '../types.ts';
import { claimFault } from './claim-fault.ts';

/**
 * Makes sure that a file that came from elsewhere is a layer: a sound qcow2 image that names the layer below it and no other
 * file (invariant 2). Its bytes have been found to be those of its digest, which says nothing of what they mean.
 *
 * @param below the layer that it stands on; null for a base
 * @param size bytes of the disk, where the layer is a version's last
 * @throws CalveError `corrupt`, saying what is wrong with it
 */
export async function checkLayer(
  file: HostFile,
  layer: LayerInfo,
  below: LayerInfo | null,
  size: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const fault = await faultOf(file, below, size, signal);
  if (fault === undefined) return;
  throw new CalveError('corrupt', `layer ${layer.digest}: ${fault}`, { data: { layer: layer.digest } });
}

async function faultOf(
  file: HostFile,
  below: LayerInfo | null,
  size: number | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (!(await isQcow2File(file))) return 'expected a qcow2 file';
  try {
    const fault = claimFault(await readHeader(file), below, size);
    if (fault !== undefined) return fault;
    return describeCheck(await checkQcow2(file.path, { maxFindings: 1, signal }), 'all');
  } catch (error) {
    if (
      !(error instanceof CalveError) ||
      !['invalid', 'corrupt', 'unsupported', 'denied'].includes(error.code)
    ) {
      throw error;
    }
    return error.message;
  }
}
