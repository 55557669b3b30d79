/**
 * A name as file systems compare it that tell no upper from lower case: character by character in upper case. Bytes
 * that are no UTF-8 stay as they are.
 */
export function foldName(name: Buffer): string {
  const text = name.toString('utf8');
  if (text.includes('\ufffd') && !Buffer.from(text).equals(name)) return name.toString('latin1');
  return Array.from(text, upper).join('');
}

/** One for one: what becomes two letters, as ß, stays. */
function upper(character: string): string {
  const found = character.toUpperCase();
  return found.length === character.length ? found : character;
}
