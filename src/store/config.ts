import type { StoreContext } from './context.ts';
import type { SettingInfo, SettingValue } from './types.ts';

/**
 * The store's settings: `trash.days`, `gc.graceDays`, `gc.historyDays`, `compression`, `immutable`. All throw
 * CalveError `usage` for another key.
 */
export class Config {
  readonly #context: StoreContext;
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /** Every setting, those that were never set too. */
  async list(): Promise<SettingInfo[]> {
    const { listSettings } = await import('./settings.ts');
    return listSettings(this.#context);
  }

  /** @throws CalveError `corrupt` when `config.json` holds something else under this key */
  async get(key: string): Promise<SettingInfo> {
    const { getSetting } = await import('./settings.ts');
    return getSetting(this.#context, key);
  }

  /**
   * @param value a text is understood as on the command line: `'7'`, `'yes'`
   * @throws CalveError `usage` naming what was expected
   */
  async set(key: string, value: SettingValue): Promise<SettingInfo> {
    const { setSetting } = await import('./settings.ts');
    return setSetting(this.#context, key, value);
  }

  /** Back to the default. */
  async unset(key: string): Promise<SettingInfo> {
    const { unsetSetting } = await import('./settings.ts');
    return unsetSetting(this.#context, key);
  }
}
