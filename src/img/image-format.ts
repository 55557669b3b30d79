import type { HostFile } from '../host/index.ts';

/** Formats that are read here. */
export type NativeFormat = 'raw' | 'qcow2';
/** Formats that qemu-img reads for us, by its names. */
export type ForeignFormat = 'vmdk' | 'vdi' | 'vhdx' | 'vpc';

/** The first bytes that tell a format, and where they lie. A VHD of a fixed size has none: its end would tell. */
const MAGICS: readonly { readonly format: NativeFormat | ForeignFormat; at: number; magic: string }[] = [
  { format: 'qcow2', at: 0, magic: 'QFI\xfb' },
  { format: 'vmdk', at: 0, magic: 'KDMV' },
  { format: 'vmdk', at: 0, magic: 'COWD' },
  { format: 'vmdk', at: 0, magic: '# Disk DescriptorFile' },
  { format: 'vdi', at: 64, magic: '\x7f\x10\xda\xbe' },
  { format: 'vhdx', at: 0, magic: 'vhdxfile' },
  { format: 'vpc', at: 0, magic: 'conectix' },
];
const LONGEST = 128;

/** What a file begins as; raw, if it begins as nothing that is known. */
export async function probeFormat(file: HostFile): Promise<NativeFormat | ForeignFormat> {
  const bytes = Buffer.alloc(LONGEST);
  await file.read(bytes, 0);
  const start = bytes.toString('latin1');
  return MAGICS.find(({ at, magic }) => start.startsWith(magic, at))?.format ?? 'raw';
}

/** Whether a file begins as qcow2 files do. */
export async function isQcow2(file: HostFile): Promise<boolean> {
  return (await probeFormat(file)) === 'qcow2';
}
