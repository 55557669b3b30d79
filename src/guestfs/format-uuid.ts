/** 16 bytes as a UUID in lower case, in the order in which they stand. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.subarray(0, 16)).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** 16 bytes as a GUID as UEFI keeps it, whose first three fields are little-endian. */
export function formatGuid(bytes: Uint8Array): string {
  const turned = Buffer.from(bytes.subarray(0, 16));
  turned.subarray(0, 4).reverse();
  turned.subarray(4, 6).reverse();
  turned.subarray(6, 8).reverse();
  return formatUuid(turned);
}
