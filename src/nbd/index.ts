/** Owns network block devices: the protocol, the server, the client; imports errors, host, disk, qcow2, img. */
export type { NbdClientOptions } from './client/client-options.ts';
export { type ListedExport, listNbd } from './client/list-nbd.ts';
export { describeAddress, type NbdAddress, type NbdSocket } from './client/nbd-address.ts';
export { NbdDisk } from './client/nbd-disk.ts';
export { openNbd } from './client/open-nbd.ts';
export { isNbdUri, parseNbdUri } from './client/parse-nbd-uri.ts';
export type { StatusRange } from './client/status-extents.ts';
export { type DiskExportOptions, diskExport } from './exports/disk-export.ts';
export { type ImageFileOptions, openImageFile, type SnapshotChoice } from './exports/open-image-file.ts';
export { activatedSockets } from './listening/activated-sockets.ts';
export { listenUnix } from './listening/listen-unix.ts';
export { pathOfSocket } from './listening/path-of-socket.ts';
export { DEFAULT_LIMITS, type Limits } from './server/limits.ts';
export { allocationDepth, type ContextExtent, dirtyBitmap, type MetaContext } from './server/meta-context.ts';
export { type ExportInfo, type ExportSource, fixedExports, type NbdExport } from './server/nbd-export.ts';
export { NbdServer, type NbdServerOptions } from './server/nbd-server.ts';
export type { ClientTls } from './tls/client-tls.ts';
export { type ServerTls, startServerTls } from './tls/server-tls.ts';
