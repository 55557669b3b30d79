/** QEMU's `-drive` for a qcow2 file; commas in the path are doubled, as QEMU wants them. */
export function driveOption(file: string, options: { readonly readOnly: boolean }): string {
  const parts = [`file=${file.replaceAll(',', ',,')}`, 'format=qcow2', 'if=virtio'];
  if (options.readOnly) parts.push('readonly=on');
  return `-drive ${parts.join(',')}`;
}
