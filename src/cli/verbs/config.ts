import { CalveError } from '../../errors/index.ts';
import type { SettingInfo } from '../../store/index.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly list?: boolean;
  readonly unset?: boolean;
  readonly json?: boolean;
}

/** `calve config [KEY [VALUE]]` */
export const config: Verb = {
  examples: [
    { line: 'calve config', does: 'every setting, as it counts now' },
    { line: 'calve config trash.days 30', does: 'the trash keeps what was removed for 30 days' },
    { line: 'calve config --unset trash.days', does: 'for 7 again' },
  ],
  declare: (command, session) => {
    command
      .argument('[key]', 'trash.days, gc.graceDays, gc.historyDays, compression or immutable')
      .argument('[value]', 'what it is from now on (default: print it)')
      .option('-l, --list', 'list every setting, as without a key')
      .option('--unset', 'back to the default')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (key: string | undefined, value: string | undefined, options: Options) => {
        checkUsage(key, value, options);
        const { output } = session;
        const store = await session.openStore();
        let settings: SettingInfo[];
        if (key === undefined) settings = await store.config.list();
        else if (options.unset === true) settings = [await store.config.unset(key)];
        else if (value === undefined) settings = [await store.config.get(key)];
        else settings = [await store.config.set(key, value)];
        if (options.json === true) return output.printJson(settings);
        if (key === undefined && output.quiet) {
          return output.printNames(settings.map((setting) => ({ name: setting.key })));
        }
        for (const setting of settings) {
          const line = `${setting.key}=${setting.value}`;
          if (key === undefined) output.print(setting.set ? line : `${line} (default)`);
          else if (options.unset === true || value !== undefined) output.say(line);
          else output.print(String(setting.value));
        }
      });
  },
};

function checkUsage(key: string | undefined, value: string | undefined, options: Options): void {
  const fault =
    options.list === true && (key !== undefined || options.unset === true)
      ? '--list takes no key'
      : options.unset === true && key === undefined
        ? '--unset wants a key'
        : options.unset === true && value !== undefined
          ? '--unset takes no value'
          : undefined;
  if (fault !== undefined) throw new CalveError('usage', fault, { hint: 'calve help config' });
}
