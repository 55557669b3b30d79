import { CalveError } from '../errors/index.ts';

/**
 * libvirt's `<disk>` element for a qcow2 file (libvirt.org/formatdomain.html, Hard drives, floppy disks, CDROMs). Without
 * `<backingStore>`: libvirt follows the chain by itself, since every layer names the format of its parent.
 * @throws CalveError `unsupported` for a path that XML cannot hold
 */
export function libvirtDisk(file: string, options: { readonly readOnly: boolean }): string {
  return [
    "<disk type='file' device='disk'>",
    "  <driver name='qemu' type='qcow2'/>",
    `  <source file='${xmlText(file)}'/>`,
    "  <target dev='vda' bus='virtio'/>",
    ...(options.readOnly ? ['  <readonly/>'] : []),
    '</disk>',
  ].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  "'": '&apos;',
  '"': '&quot;',
  // A plain one would be read as a space.
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** XML 1.0, production [2] Char: no control characters but three, no lone surrogates, no U+FFFE or U+FFFF. */
const NOT_XML = /[\p{Cs}\ufffe\uffff]|(?![\t\n\r])\p{Cc}/u;

function xmlText(text: string): string {
  if (NOT_XML.test(text)) {
    throw new CalveError('unsupported', `XML cannot hold the path ${JSON.stringify(text)}`);
  }
  return text.replace(/[&<>'"\t\n\r]/g, (character) => ENTITIES[character] ?? character);
}
