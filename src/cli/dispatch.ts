/**
 * Runs the command line of this process, by whoever understands it, and sets its exit code; never throws.
 *
 * @param words what was typed after `calve`
 */
export async function dispatch(words: readonly string[]): Promise<void> {
  const imgWords = wordsOfImg(words);
  if (imgWords !== undefined) {
    // It takes its words as qemu-img does, and must not wait for a parser that it has no use for.
    const { runProcess } = await import('./img/run-process.ts');
    await runProcess('calve img', imgWords);
    return;
  }
  const { run } = await import('./run.ts');
  await run(words);
}

/** What is for the image program: `img …`, and `help img …`, which is its `--help`. */
function wordsOfImg([first, ...rest]: readonly string[]): readonly string[] | undefined {
  if (first === 'img') return rest;
  return first === 'help' && rest[0] === 'img' ? [...rest.slice(1), '--help'] : undefined;
}
