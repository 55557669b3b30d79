import { CalveError } from '../errors/index.ts';
import type { HostFile } from '../host/index.ts';

/** Microsoft's "Virtual Hard Disk Image Format Specification", hard disk footer: 512 bytes, at the end, mostly at the start too. */
const FOOTER = 512;
const COOKIE = 'conectix';
const TYPE_OFFSET = 60;
const TYPES: Readonly<Record<number, string>> = { 2: 'fixed', 3: 'dynamic', 4: 'differencing' };

/**
 * Refuses VHDs that QEMU would misread: it takes all but dynamic ones for fixed ones, so that a differencing disk would be
 * read without its parent.
 * @throws CalveError `invalid`, `unsupported`
 */
export async function checkVhd(file: HostFile): Promise<void> {
  const footer = (await readFooter(file, 0)) ?? (await readFooter(file, file.stat().size - FOOTER));
  if (footer === undefined) {
    throw new CalveError('invalid', `${file.path}: expected a VHD, whose footer begins with ${COOKIE}`);
  }
  const type = footer.readUInt32BE(TYPE_OFFSET);
  if (TYPES[type] === 'fixed' || TYPES[type] === 'dynamic') return;
  const what = TYPES[type] ?? `of type ${type}`;
  throw new CalveError(
    'unsupported',
    `${file.path}: expected a VHD that is fixed or dynamic, got one ${what}`,
    {
      hint: 'merge it with its parent first',
      data: { path: file.path, type },
    },
  );
}

async function readFooter(file: HostFile, offset: number): Promise<Buffer | undefined> {
  if (offset < 0) return undefined;
  const footer = Buffer.alloc(FOOTER);
  await file.read(footer, offset);
  return footer.toString('latin1', 0, COOKIE.length) === COOKIE ? footer : undefined;
}
