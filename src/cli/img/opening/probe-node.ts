import type { BlockNode } from './block-node.ts';

/** What tells a format: bytes at the beginning. Those that QEMU tries, with those that people have. */
const MAGICS: readonly { readonly driver: string; readonly at: number; readonly magic: string }[] = [
  { driver: 'qcow2', at: 0, magic: 'QFI\xfb' },
  { driver: 'vmdk', at: 0, magic: 'KDMV' },
  { driver: 'vmdk', at: 0, magic: 'COWD' },
  { driver: 'vmdk', at: 0, magic: '# Disk DescriptorFile' },
  { driver: 'vdi', at: 64, magic: '\x7f\x10\xda\xbe' },
  { driver: 'vhdx', at: 0, magic: 'vhdxfile' },
  { driver: 'vpc', at: 0, magic: 'conectix' },
  { driver: 'qed', at: 0, magic: 'QED\0' },
  { driver: 'luks', at: 0, magic: 'LUKS\xba\xbe\0\x01' },
  { driver: 'parallels', at: 0, magic: 'WithoutFreeSpace' },
  { driver: 'parallels', at: 0, magic: 'WithouFreSpacExt' },
  { driver: 'bochs', at: 0, magic: 'Bochs Virtual HD Image' },
  { driver: 'cloop', at: 0, magic: '#!/bin/sh\n#V2.0 Format' },
];
/** Of versions 2 and up: version 1 is another format. */
const LONGEST = 512;

/** The format of what a node holds; raw where it begins as nothing that is known. */
export async function probeNode(file: BlockNode): Promise<string> {
  const bytes = Buffer.alloc(Math.min(LONGEST, file.disk.size));
  if (file.disk.tryRead?.(bytes, 0) !== true) await file.disk.read(bytes, 0);
  const start = bytes.toString('latin1');
  const found = MAGICS.find(({ at, magic }) => start.startsWith(magic, at))?.driver ?? 'raw';
  return found === 'qcow2' && bytes.length >= 8 && bytes.readUInt32BE(4) === 1 ? 'qcow' : found;
}
