import { CalveError } from '../../errors/index.ts';
import type { EncryptionArea } from './encryption-area.ts';
import { LUKS_HEADER_BYTES, luksFields } from './luks-fields.ts';
import type { LuksHeader } from './luks-header.ts';
import { type LuksLimits, validateLuksFields } from './validate-luks-fields.ts';

/** What a LUKS header is read from; an ImageFile is one. */
export interface LuksSource {
  readonly path: string;
  /** @throws CalveError `corrupt` when the file ends before */
  readStructure(what: string, offset: number, length: number): Promise<Uint8Array>;
}

/**
 * Reads and checks an image's LUKS header. Costs one read of 592 bytes, whatever it says.
 * @throws CalveError `invalid` or `unsupported`, naming the file, the field and its value; `corrupt`; `io`
 */
export async function readLuksHeader(
  source: LuksSource,
  area: EncryptionArea,
  limits: Omit<LuksLimits, 'areaLength'> = {},
): Promise<LuksHeader> {
  try {
    if (area.length < LUKS_HEADER_BYTES) {
      throw new CalveError(
        'invalid',
        `encryption header pointer length: expected at least ${LUKS_HEADER_BYTES}, got ${area.length}`,
        { data: { field: 'encryption header pointer length', value: area.length } },
      );
    }
    const bytes = await source.readStructure('a LUKS header', area.offset, LUKS_HEADER_BYTES);
    return validateLuksFields(luksFields.decode(bytes), { ...limits, areaLength: area.length });
  } catch (error) {
    if (!CalveError.is(error, 'invalid') && !CalveError.is(error, 'unsupported')) throw error;
    throw new CalveError(error.code, `${source.path}: LUKS header: ${error.message}`, {
      cause: error,
      data: { ...error.data, path: source.path },
    });
  }
}
