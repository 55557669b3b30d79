import { imgError } from '../img-error.ts';
import { type BlockOptions, parseJsonName } from '../options/block-options.ts';
import type { BlockNode } from './block-node.ts';
import { foreignFormat, isForeign, isOurs } from './foreign-format.ts';
import { openHostFileNode } from './host-file-node.ts';
import { protocolOf } from './node-name.ts';
import type { NodeRequest, OpenSettings } from './open-request.ts';
import { probeNode } from './probe-node.ts';

/**
 * Opens a node, and all below it.
 * @throws CalveError in qemu-img's words
 */
export async function openNode(request: NodeRequest, settings: OpenSettings): Promise<BlockNode> {
  const { filename } = request;
  const options = request.options;
  if (filename?.startsWith('json:')) return openNode(jsonRequest(request, filename), settings);
  if (request.driver !== undefined && options.has('driver')) {
    throw imgError('Driver specified twice');
  }
  const driver = request.driver ?? options.take('driver');
  checkDriver(driver);
  if (driver !== undefined && PROTOCOLS.has(driver)) return openProtocol(driver, request, settings);
  const reference = options.take('file');
  if (reference !== undefined) {
    throw imgError(`Cannot find device='${reference}' nor node-name='${reference}'`, { code: 'not-found' });
  }
  const file = await openLower({ ...request, driver }, settings);
  try {
    return await openFormat(driver, file, options, settings);
  } catch (error) {
    await file.disk.close();
    throw error;
  }
}

const PROTOCOLS: ReadonlySet<string> = new Set(['file', 'nbd', 'null-co']);

function jsonRequest({ options, driver }: NodeRequest, filename: string): NodeRequest {
  const named = parseJsonName(filename.slice('json:'.length));
  const overruled = driver === undefined ? named.take('driver') : driver;
  for (const [key, value] of options) named.set(key, value);
  return { filename: undefined, options: named, driver: overruled };
}

function checkDriver(driver: string | undefined): void {
  if (driver === undefined || isOurs(driver)) return;
  if (isForeign(driver)) throw foreignFormat(driver);
  throw imgError(`Unknown driver '${driver}'`, { code: 'unsupported' });
}

/** What a format lies in: a protocol as a rule, or another format. */
function openLower(request: NodeRequest, settings: OpenSettings): Promise<BlockNode> {
  const options = request.options.takeChild('file');
  const filename = options.take('filename') ?? request.filename;
  if (filename === undefined && options.first === undefined) {
    throw imgError(
      request.driver === undefined
        ? 'Must specify either driver or file'
        : 'A block device must be specified for "file"',
    );
  }
  const driver = options.take('driver');
  checkDriver(driver);
  const lower = { filename, options, driver };
  if (filename?.startsWith('json:')) return openNode(lower, settings);
  if (driver !== undefined && !PROTOCOLS.has(driver)) return openNode(lower, settings);
  return openProtocol(driver ?? protocolDriver(filename), lower, settings);
}

/** By what a name begins with. */
function protocolDriver(filename: string | undefined): string {
  const protocol = filename === undefined ? undefined : protocolOf(filename);
  if (protocol === undefined || protocol === 'file') return 'file';
  if (/^nbds?(\+(unix|tcp))?$/.test(protocol)) return 'nbd';
  if (isForeign(protocol)) throw foreignFormat(protocol);
  if (isOurs(protocol) && protocol !== 'raw' && protocol !== 'qcow2') return protocol;
  throw imgError(`Unknown protocol '${protocol}'`, { code: 'unsupported' });
}

async function openProtocol(
  driver: string,
  request: NodeRequest,
  settings: OpenSettings,
): Promise<BlockNode> {
  if (driver === 'nbd') return (await import('./nbd-node.ts')).openNbdNode(request, settings);
  if (driver === 'null-co') return (await import('./null-node.ts')).openNullNode(request);
  return openHostFileNode(request, settings);
}

async function openFormat(
  wanted: string | undefined,
  file: BlockNode,
  options: BlockOptions,
  settings: OpenSettings,
): Promise<BlockNode> {
  const driver = wanted ?? (await probeNode(file));
  const wasProbed = wanted === undefined;
  if (driver === 'qcow2') {
    const { openQcow2Node } = await import('./qcow2-node.ts');
    return openQcow2Node(file, wasProbed, options, settings, openNode);
  }
  if (driver !== 'raw') throw foreignFormat(driver);
  const { openRawNode } = await import('./raw-node.ts');
  return openRawNode(file, wasProbed, options, settings);
}
