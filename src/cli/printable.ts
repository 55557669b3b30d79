/** C0, DEL and C1, of which most texts have none. */
const CONTROLS = /\p{Cc}/u;

/**
 * Text from a store or an image, safe to show on a terminal: control characters, which could move the cursor or
 * change colours, become `\xNN`. Line breaks stay only where `lines` is set.
 */
export function printable(text: string, options: { readonly lines?: boolean } = {}): string {
  if (!CONTROLS.test(text)) return text;
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    const control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    if (!control || (options.lines === true && (character === '\n' || character === '\t'))) return character;
    return `\\x${code.toString(16).padStart(2, '0')}`;
  }).join('');
}
