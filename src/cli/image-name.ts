import { basename } from 'node:path';

/** What an image is called in messages: a file by its name, an export of an NBD server by its whole URI. */
export function imageName(file: string): string {
  return isUri(file) ? file : basename(file);
}

/** Whether a word means an NBD server's export: `nbd://…`, `nbd+unix://…`, `nbd:unix:…`. */
export function isUri(file: string): boolean {
  return /^nbds?[:+]/i.test(file);
}
