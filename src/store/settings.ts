import { CalveError } from '../errors/index.ts';
import { writeFileDurably } from '../host/index.ts';
import type { StoreContext } from './context.ts';
import { checkStoreMayFreeze, freezeLayers } from './immutable.ts';
import { locked, settled } from './locking.ts';
import { CONFIG_KEYS, type ConfigKey, configOf, isConfigKey, readConfigDocument } from './store-config.ts';
import type { SettingInfo, SettingValue } from './types.ts';

/** Every setting, in the order of the documentation. */
export async function listSettings(context: StoreContext): Promise<SettingInfo[]> {
  await settled(context);
  const document = await readConfigDocument(context);
  return CONFIG_KEYS.map((key) => settingInfo(context, document, key));
}

/** @throws CalveError `usage` for a key that does not exist, `corrupt` */
export async function getSetting(context: StoreContext, text: string): Promise<SettingInfo> {
  const key = checkKey(text);
  await settled(context);
  return settingInfo(context, await readConfigDocument(context), key);
}

/** Writes one setting into `config.json`, in which everything else stays as it is. */
export async function setSetting(
  context: StoreContext,
  text: string,
  value: SettingValue,
): Promise<SettingInfo> {
  const key = checkKey(text);
  const meant = typeof value === 'string' ? valueOfText(settingInfo(context, {}, key), value) : value;
  // Checked alone: another setting that is broken must not keep this one from being mended.
  checkValue(context, key, meant);
  // Whoever may not do what is asked for is told so now, not by the next import.
  if (key === 'immutable' && meant === true) await checkStoreMayFreeze(context);
  return changeDocument(context, key, (document) => withKey(document, key.split('.'), meant));
}

/** Takes one setting out of `config.json`, whatever it is there: from then on it is as by default. */
export async function unsetSetting(context: StoreContext, text: string): Promise<SettingInfo> {
  const key = checkKey(text);
  return changeDocument(context, key, (document) => withKey(document, key.split('.'), undefined));
}

type Document = Readonly<Record<string, unknown>>;

async function changeDocument(
  context: StoreContext,
  key: ConfigKey,
  change: (document: Document) => Document,
): Promise<SettingInfo> {
  return locked(context, async () => {
    const before = await readConfigDocument(context);
    const after = change(before);
    const setting = settingInfo(context, after, key);
    // In this order a layer bears the flag for as long as the setting says so; fsck mends what a crash leaves.
    if (key === 'immutable' && setting.value !== true) await freezeLayers(context, false);
    if (JSON.stringify(before) !== JSON.stringify(after)) {
      context.step('rename to config.json');
      // Indented: people read and edit it.
      await writeFileDurably(context.layout.config, `${JSON.stringify(after, null, 2)}\n`, {
        stagingFolder: context.layout.tmp,
      });
    }
    if (key === 'immutable' && setting.value === true) await freezeLayers(context, true);
    return setting;
  });
}

/** A setting as a document has it; of the others it may hold anything. */
function settingInfo(context: StoreContext, document: Document, key: ConfigKey): SettingInfo {
  const path = key.split('.');
  return {
    key,
    value: settingAt(configOf(context, alone(document, path)), path),
    default: settingAt(configOf(context, {}), path),
    set: valueAt(document, path) !== undefined,
  };
}

function checkKey(text: string): ConfigKey {
  if (isConfigKey(text)) return text;
  throw new CalveError('usage', `setting '${text}': expected one of ${CONFIG_KEYS.join(', ')}`, {
    hint: 'calve config',
  });
}

function checkValue(context: StoreContext, key: ConfigKey, value: SettingValue): void {
  try {
    configOf(context, withKey({}, key.split('.'), value));
  } catch (error) {
    if (!CalveError.is(error, 'corrupt')) throw error;
    // Not the file is wrong but the caller.
    const message = error.message.slice(`${context.layout.config}: `.length);
    throw new CalveError('usage', message, { data: { key, value }, cause: error });
  }
}

/** git's words for a truth; whole numbers; all else as it was typed, for the check to refuse. */
function valueOfText(setting: SettingInfo, text: string): SettingValue {
  if (typeof setting.default === 'number') return /^\d+$/.test(text) ? Number(text) : text;
  if (typeof setting.default !== 'boolean') return text;
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  return /^(false|no|off|0)$/i.test(text) ? false : text;
}

/** The document with a value at a path, or (with undefined) without it and without a folder that held it alone. */
function withKey(document: Document, [name = '', ...rest]: readonly string[], value: unknown): Document {
  const { [name]: there, ...others } = document;
  const below = rest.length === 0 ? value : withKey(isDocument(there) ? there : {}, rest, value);
  const gone = below === undefined || (isDocument(below) && Object.keys(below).length === 0);
  if (gone) return others;
  // In the place where it was.
  return name in document ? { ...document, [name]: below } : { ...others, [name]: below };
}

/** What a document says on the way to a path, and nothing else. */
function alone(document: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined || !isDocument(document)) return document;
  return document[name] === undefined ? {} : { [name]: alone(document[name], rest) };
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (isDocument(at) ? at[name] : undefined), document);
}

function settingAt(config: unknown, path: readonly string[]): SettingValue {
  const value = valueAt(config, path);
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new TypeError(`no setting at ${path.join('.')}`);
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
