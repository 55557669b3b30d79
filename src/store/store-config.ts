import * as v from 'valibot';
import { CalveError } from '../errors/index.ts';
import { checkDocument, parseDocument } from '../oci/index.ts';
import type { StoreContext } from './context.ts';
import { readText } from './read-text.ts';
import type { Compression } from './types.ts';

/**
 * The settings of a store, whole: what `config.json` does not say is as by default. Read where it is needed, each
 * time, so that what a person changes counts at once. Nothing secret belongs here: a store is copied and shared.
 */
export interface StoreConfig {
  readonly trash: {
    /** Days that the trash keeps what was removed. */
    readonly days: number;
  };
  readonly gc: {
    /** Days that a version is kept after nothing needs it any more. */
    readonly graceDays: number;
    /** Days that what a ref pointed at is kept after the ref moved. */
    readonly historyDays: number;
  };
  /** How the clusters of new layers are packed. */
  readonly compression: Compression;
  /** Whether layers are made immutable besides being read-only. */
  readonly immutable: boolean;
}

/** A path in `config.json`. */
export const CONFIG_KEYS = [
  'trash.days',
  'gc.graceDays',
  'gc.historyDays',
  'compression',
  'immutable',
] as const;
export type ConfigKey = (typeof CONFIG_KEYS)[number];

const LONGEST_DAYS = 36_500;
const days = v.custom<number>(
  (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LONGEST_DAYS,
  ({ received }) => `expected whole days from 0 to ${LONGEST_DAYS}, got ${received}`,
);

function group<const T extends v.ObjectEntries>(
  settings: T,
): v.LooseObjectSchema<T, v.ErrorMessage<v.LooseObjectIssue>> {
  return v.looseObject(settings, ({ received }) => `expected an object, got ${received}`);
}

/** Keys that it does not know are kept: a later calve, or another program, may. */
const configSchema: v.GenericSchema<unknown, StoreConfig> = v.looseObject({
  trash: v.optional(group({ days: v.optional(days, 7) }), {}),
  gc: v.optional(group({ graceDays: v.optional(days, 14), historyDays: v.optional(days, 14) }), {}),
  compression: v.optional(
    v.picklist(
      ['zstd', 'deflate', 'none'],
      ({ received }) => `expected zstd, deflate or none, got ${received}`,
    ),
    'zstd',
  ),
  immutable: v.optional(
    v.boolean(({ received }) => `expected true or false, got ${received}`),
    false,
  ),
});

/** @throws CalveError `corrupt` naming the key, what was expected and what is there */
export async function readConfig(context: StoreContext): Promise<StoreConfig> {
  return configOf(context, await readConfigDocument(context));
}

/** `config.json` as it is, its settings unchecked; empty where there is none. */
export async function readConfigDocument(context: StoreContext): Promise<Record<string, unknown>> {
  const { config } = context.layout;
  let text: string;
  try {
    text = await readText(config);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) return {};
    throw error;
  }
  return parseDocument(text, v.record(v.string(), v.unknown()), config);
}

/** The settings that a document says, and the defaults of those that it does not. */
export function configOf(context: StoreContext, document: unknown): StoreConfig {
  try {
    return checkDocument(document, configSchema, context.layout.config);
  } catch (error) {
    if (!CalveError.is(error)) throw error;
    const { code, message, data } = error;
    const key = CONFIG_KEYS.find((each) => `${each}.`.startsWith(`${data['field']}.`));
    const hint = key === undefined ? {} : { hint: `calve config --unset ${key}` };
    throw new CalveError(code, message, { ...hint, data, cause: error });
  }
}

export function isConfigKey(text: string): text is ConfigKey {
  return CONFIG_KEYS.some((key) => key === text);
}
