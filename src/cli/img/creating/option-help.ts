import { createOptions } from './create-option.ts';

/**
 * What `-o help` prints.
 * @param protocol what the image is made in, where that was named
 */
export function optionHelp(format: string, protocol: string | undefined): string {
  const options = createOptions(format, protocol).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const lines = options.map(({ name, type, help }) => {
    const placeholder = type === 'bool' ? 'bool (on/off)' : type;
    return `  ${`${name}=<${placeholder}>`.padEnd(22)} - ${help}\n`;
  });
  if (protocol !== undefined) return `Supported options:\n${lines.join('')}`;
  const further =
    '\nThe protocol level may support further options.\nSpecify the target filename to include those options.\n';
  return `Supported ${format} options:\n${lines.join('')}${further}`;
}
