import { CalveError, errnoOf } from '../../../errors/index.ts';
import { type NbdAddress, type NbdDisk, openNbd, parseNbdUri } from '../../../nbd/index.ts';
import { imgError } from '../img-error.ts';
import type { BlockOptions } from '../options/block-options.ts';
import { errnoText } from '../printing/errno-text.ts';
import { type BlockNode, blockNode } from './block-node.ts';
import { jsonName } from './node-name.ts';
import type { NodeRequest, OpenSettings } from './open-request.ts';
import { refuseUnknownOptions } from './refuse-unknown-options.ts';
import { takeCommonOptions } from './take-common-options.ts';

/** An export of an NBD server, QEMU's driver `nbd`. */
export async function openNbdNode(request: NodeRequest, settings: OpenSettings): Promise<BlockNode> {
  const { options } = request;
  takeCommonOptions(options);
  for (const passed of ['reconnect-delay', 'open-timeout']) options.take(passed);
  const name = options.take('x-dirty-bitmap');
  const filename = options.take('filename') ?? request.filename;
  const address = filename === undefined ? takeAddress(options) : addressOf(filename);
  refuseUnknownOptions(options, 'protocol', 'nbd');
  const { writable, signal } = settings;
  const contexts = name === undefined ? [] : [name];
  let disk: NbdDisk;
  try {
    disk = await openNbd(address, { readOnly: !writable, contexts, signal });
  } catch (error) {
    throw notConnected(address, error);
  }
  const context = name === undefined ? undefined : await contextOf(disk, name);
  const plainName = plainNameOf(address);
  return blockNode({ driver: 'nbd', disk, plainName, options: optionsOf(address), context }, jsonName);
}

/** @throws CalveError in QEMU's words when the server has no such context; the disk is closed then */
async function contextOf(disk: NbdDisk, name: string): Promise<BlockNode['context']> {
  if (disk.contexts.has(name)) return { name, statuses: disk.statuses.bind(disk, name) };
  await disk.close();
  throw imgError('Could not open image: Invalid argument', { code: 'not-found' });
}

function addressOf(filename: string): NbdAddress {
  if (!/^nbds?(\+\w+)?:/.test(filename)) throw imgError("File name string for NBD must start with 'nbd:'");
  try {
    return parseNbdUri(filename);
  } catch (error) {
    const [, rest = ''] = /^nbd:(?!\/\/)(.*)$/s.exec(filename) ?? [];
    throw rest === '' ? error : imgError(`error parsing address '${rest}'`, { code: 'usage', cause: error });
  }
}

function takeAddress(options: BlockOptions): NbdAddress {
  const server = options.takeChild('server');
  const exportName = options.take('export') ?? '';
  const type = server.take('type');
  const path = server.take('path') ?? options.take('path');
  const host = server.take('host') ?? options.take('host');
  const port = server.take('port') ?? options.take('port') ?? '10809';
  refuseUnknownOptions(server, 'protocol', 'nbd');
  if (type !== undefined && type !== 'unix' && type !== 'inet') {
    throw imgError(`Parameter 'server.type' does not accept value '${type}'`);
  }
  if (path !== undefined) return { socket: { path }, exportName };
  if (host !== undefined) return { socket: { host, port: Number(port) }, exportName };
  throw imgError('NBD server address missing');
}

function plainNameOf({ socket, exportName }: NbdAddress): string {
  if ('path' in socket) {
    const name = exportName === '' ? '' : `/${exportName}`;
    return `nbd+unix://${name}?socket=${socket.path}`;
  }
  return `nbd://${socket.host}:${socket.port}${exportName === '' ? '' : `/${exportName}`}`;
}

function optionsOf({ socket, exportName }: NbdAddress): BlockNode['options'] {
  const server =
    'path' in socket
      ? { type: 'unix', path: socket.path }
      : { type: 'inet', host: socket.host, port: String(socket.port) };
  return { driver: 'nbd', server, ...(exportName !== '' && { export: exportName }) };
}

function notConnected({ socket, exportName }: NbdAddress, error: unknown): CalveError {
  const where = 'path' in socket ? socket.path : `${socket.host}:${socket.port}`;
  const why = errnoText(errnoOf(error));
  if (why !== undefined) {
    return imgError(`Failed to connect to '${where}': ${why}`, { code: 'io', cause: error });
  }
  if (CalveError.is(error, 'not-found')) {
    return imgError(`Requested export not available`, {
      code: 'not-found',
      more: `server reported: export '${exportName}' not present`,
      cause: error,
    });
  }
  if (CalveError.is(error)) return error;
  return imgError(String(error), { code: 'io', cause: error });
}
