/**
 * Runs the command line of this process, by whoever understands it, and sets its exit code; never throws.
 *
 * @param words what was typed after `calve`
 */
export async function dispatch(words: readonly string[]): Promise<void> {
  if (words[0] === 'img') {
    // It takes its words as qemu-img does, and must not wait for a parser that it has no use for.
    const { runProcess } = await import('./img/run-process.ts');
    await runProcess('calve img', words.slice(1));
    return;
  }
  const { run } = await import('./run.ts');
  await run(words);
}
