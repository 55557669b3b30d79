/** One `key=value` of a list. */
export interface ListedOption {
  readonly key: string;
  readonly value: string;
  /** Only the key was typed: `key` is `key=on`, `nokey` is `key=off`. */
  readonly isFlag?: true;
}

/**
 * Takes apart a list of options as QEMU writes them: `size=1G,file=a,,b`, where a comma that is meant is doubled.
 * @param implied the key of a first word that has no `=`
 */
export function parseOptionList(text: string, implied?: string): ListedOption[] {
  const options: ListedOption[] = [];
  for (let at = 0; at < text.length; ) {
    const [, key = ''] = /^([^=,]*)/.exec(text.slice(at)) ?? [];
    const hasValue = text[at + key.length] === '=';
    if (!hasValue && at === 0 && implied !== undefined) {
      const { value, next } = readValue(text, at);
      options.push({ key: implied, value });
      at = next;
    } else if (hasValue) {
      const { value, next } = readValue(text, at + key.length + 1);
      options.push({ key, value });
      at = next;
    } else {
      options.push(flag(key));
      at += key.length + 1;
    }
  }
  return options;
}

/** Up to the comma that ends it; a doubled one is a comma. */
function readValue(text: string, from: number): { readonly value: string; readonly next: number } {
  let value = '';
  let at = from;
  for (;;) {
    const comma = text.indexOf(',', at);
    if (comma < 0) return { value: value + text.slice(at), next: text.length };
    value += text.slice(at, comma);
    if (text[comma + 1] !== ',') return { value, next: comma + 1 };
    value += ',';
    at = comma + 2;
  }
}

function flag(key: string): ListedOption {
  if (key.startsWith('no') && key.length > 2) return { key: key.slice(2), value: 'off', isFlag: true };
  return { key, value: 'on', isFlag: true };
}

/** Whether somebody asks what options there are: `help` or `?` among them. */
export function asksForHelp(text: string): boolean {
  return parseOptionList(text).some(({ key, isFlag }) => isFlag === true && (key === 'help' || key === '?'));
}
