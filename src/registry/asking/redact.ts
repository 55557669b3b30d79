/** The longest of a registry's own words that a message repeats. */
const LONGEST = 300;

/**
 * A registry's words as they may be shown: without secrets, on one line, without what drives a terminal, and not endless.
 *
 * @param secrets what must not be seen, whatever a server repeats of it
 */
export function redact(text: string, secrets: Iterable<string>): string {
  let shown = text;
  for (const secret of secrets) if (secret !== '') shown = shown.replaceAll(secret, '***');
  // A signed URL lets in who has it.
  shown = shown.replace(/(https?:\/\/[^\s?"']*)\?[^\s"']*/g, '$1?***');
  const line = shown.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}
