/** Whether a word means an export of an NBD server, not a file. Of most words that is told without loading what knows. */
export async function isNbd(word: string): Promise<boolean> {
  if (!/^nbds?[:+]/i.test(word)) return false;
  const { isNbdUri } = await import('../nbd/index.ts');
  return isNbdUri(word);
}
