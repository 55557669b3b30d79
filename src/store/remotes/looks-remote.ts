/**
 * Whether a text is written as the name of a remote: a host ahead of a slash, or a path. A ref may be called so too
 * (`ghcr.io/team/debian`), no env and no digest.
 */
export function looksRemote(text: string): boolean {
  if (/^(?:oci:|docker:\/\/|(?:\.{0,2}|~)\/)/.test(text)) return true;
  return /^(?:localhost|\[[^/]*\]|[^/]*[.:][^/]*)(?::\d+)?\/./.test(text);
}
