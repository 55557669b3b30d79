/** An option of `-o`. */
export interface CreateOption {
  readonly name: string;
  readonly type: 'str' | 'size' | 'num' | 'bool';
  readonly help: string;
  /** What it is where nobody says it; undefined: it is not printed then. */
  readonly value?: string;
}

const FORMATS = "format choices: 'aes', 'luks'";

/** Of qcow2, in the order in which qemu-img prints what it is about to make. */
const QCOW2_OPTIONS: readonly CreateOption[] = [
  {
    name: 'encryption',
    type: 'bool',
    help: "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
  },
  { name: 'encrypt.format', type: 'str', help: `Encrypt the image, ${FORMATS}` },
  {
    name: 'encrypt.key-secret',
    type: 'str',
    help: 'ID of secret providing qcow AES key or LUKS passphrase',
  },
  { name: 'encrypt.cipher-alg', type: 'str', help: 'Name of encryption cipher algorithm' },
  { name: 'encrypt.cipher-mode', type: 'str', help: 'Name of encryption cipher mode' },
  { name: 'encrypt.ivgen-alg', type: 'str', help: 'Name of IV generator algorithm' },
  { name: 'encrypt.ivgen-hash-alg', type: 'str', help: 'Name of IV generator hash algorithm' },
  { name: 'encrypt.hash-alg', type: 'str', help: 'Name of encryption hash algorithm' },
  { name: 'encrypt.iter-time', type: 'num', help: 'Time to spend in PBKDF in milliseconds' },
  { name: 'cluster_size', type: 'size', help: 'qcow2 cluster size', value: '65536' },
  { name: 'extended_l2', type: 'bool', help: 'Extended L2 tables', value: 'off' },
  {
    name: 'preallocation',
    type: 'str',
    help: 'Preallocation mode (allowed values: off, metadata, falloc, full)',
  },
  {
    name: 'compression_type',
    type: 'str',
    help: 'Compression method used for image cluster compression',
    value: 'zlib',
  },
  { name: 'size', type: 'size', help: 'Virtual disk size' },
  { name: 'compat', type: 'str', help: 'Compatibility level (v2 [0.10] or v3 [1.1])' },
  { name: 'backing_file', type: 'str', help: 'File name of a base image' },
  { name: 'backing_fmt', type: 'str', help: 'Image format of the base image' },
  { name: 'data_file', type: 'str', help: 'File name of an external data file' },
  { name: 'data_file_raw', type: 'bool', help: 'The external data file must stay valid as a raw image' },
  { name: 'lazy_refcounts', type: 'bool', help: 'Postpone refcount updates', value: 'off' },
  { name: 'refcount_bits', type: 'num', help: 'Width of a reference count entry in bits', value: '16' },
];

/** Of raw images, and of whatever else is a file's bytes. */
const RAW_OPTIONS: readonly CreateOption[] = [{ name: 'size', type: 'size', help: 'Virtual disk size' }];

/** Of the file that an image is made in. */
const FILE_OPTIONS: readonly CreateOption[] = [
  { name: 'size', type: 'size', help: 'Virtual disk size' },
  { name: 'nocow', type: 'bool', help: 'Turn off copy-on-write (valid only on btrfs)' },
  { name: 'preallocation', type: 'str', help: 'Preallocation mode (allowed values: off, falloc, full)' },
  { name: 'extent_size_hint', type: 'size', help: 'Extent size hint for the image file, 0 to disable' },
];

/** The options of a format, and those of the protocol that it does not have itself. */
export function createOptions(format: string, protocol: string | undefined): readonly CreateOption[] {
  const own = format === 'qcow2' ? QCOW2_OPTIONS : RAW_OPTIONS;
  const names = new Set(own.map(({ name }) => name));
  const further = protocol === 'file' ? FILE_OPTIONS.filter(({ name }) => !names.has(name)) : [];
  return [...own, ...further];
}
