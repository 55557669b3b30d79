import { type CreateOption, createOptions } from '../creating/create-option.ts';
import { givenOptions } from '../creating/given-options.ts';
import { imgError, messageOf } from '../img-error.ts';

/** What `amend -o` takes of a qcow2 image, in the order in which its help has them. */
const AMEND_OPTIONS: readonly CreateOption[] = [
  { name: 'backing_file', type: 'str', help: 'File name of a base image' },
  { name: 'backing_fmt', type: 'str', help: 'Image format of the base image' },
  { name: 'compat', type: 'str', help: 'Compatibility level (v2 [0.10] or v3 [1.1])' },
  { name: 'data_file', type: 'str', help: 'File name of an external data file' },
  { name: 'data_file_raw', type: 'bool', help: 'The external data file must stay valid as a raw image' },
  { name: 'encrypt.iter-time', type: 'num', help: 'Time to spend in PBKDF in milliseconds' },
  { name: 'encrypt.keyslot', type: 'num', help: 'Select a single keyslot to modify explicitly' },
  {
    name: 'encrypt.new-secret',
    type: 'str',
    help: 'New secret to set in the matching keyslots. Empty string to erase',
  },
  { name: 'encrypt.old-secret', type: 'str', help: 'Select all keyslots that match this password' },
  { name: 'encrypt.state', type: 'str', help: 'Select new state of affected keyslots (active/inactive)' },
  { name: 'lazy_refcounts', type: 'bool', help: 'Postpone refcount updates' },
  { name: 'refcount_bits', type: 'num', help: 'Width of a reference count entry in bits' },
  { name: 'size', type: 'size', help: 'Virtual disk size' },
];

/** What `-o help` prints. */
export function amendHelp(): string {
  const lines = AMEND_OPTIONS.map(({ name, type, help }) => {
    const placeholder = type === 'bool' ? 'bool (on/off)' : type;
    return `  ${`${name}=<${placeholder}>`.padEnd(22)} - ${help}\n`;
  });
  return `Amend options for 'qcow2':\n${lines.join('')}`;
}

/**
 * The options by name.
 * @throws CalveError in qemu-img's words
 */
export function amendOptions(text: string): Map<string, string> {
  try {
    return givenOptions(text, AMEND_OPTIONS);
  } catch (error) {
    const message = messageOf(error);
    const isOfCreation = createOptions('qcow2', undefined).some(
      ({ name }) => message === `Invalid parameter '${name}'`,
    );
    throw imgError(message, {
      ...(isOfCreation && { more: 'This option is only supported for image creation' }),
      cause: error,
    });
  }
}
