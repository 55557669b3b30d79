import type { DataFilePolicy } from '../../../qcow2/index.ts';
import { imgError } from '../img-error.ts';
import type { BlockOptions } from '../options/block-options.ts';
import type { BlockNode } from './block-node.ts';
import { diskStorage } from './disk-storage.ts';
import type { NodeRequest, OpenSettings } from './open-request.ts';

/** Opens the data file of an image: what the options say, else what the image names. */
export function dataFileOpener(
  options: BlockOptions,
  settings: OpenSettings,
  openNode: (request: NodeRequest, settings: OpenSettings) => Promise<BlockNode>,
  onOpen: (node: BlockNode) => void,
): DataFilePolicy {
  return async ({ dataFile }) => {
    const isGiven = options.first !== undefined;
    if (!isGiven && dataFile === undefined) throw imgError("'data-file' is required for this image");
    const request = {
      // As QEMU 7.2 does, from the folder in which it runs.
      filename: isGiven ? undefined : dataFile,
      options,
      driver: options.has('driver') || dataFile?.startsWith('json:') === true ? undefined : 'file',
    };
    const node = await openNode(request, settings);
    onOpen(node);
    return node.hostFile ?? diskStorage(node);
  };
}
