import pico from 'picocolors';
import type { Progress } from './progress.ts';
import type { TransferBars } from './transfer-bars.ts';

/** Bytes that go to stdout at once, where they come in small pieces. */
const GATHERED = 64 * 1024;

type Colors = ReturnType<typeof pico.createColors>;

/** Where a command's words go: data to stdout, messages and progress to stderr. */
export class Output {
  readonly quiet: boolean;
  /** Colours for stdout; every function returns its text as it is when there are none. */
  readonly colors: Colors;

  constructor(options: { readonly quiet: boolean; readonly color: boolean }) {
    this.quiet = options.quiet;
    this.colors = colorsFor(process.stdout, options.color);
  }

  /** A line of data. */
  print(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  /** Lines of data, in one write: a listing may have thousands. */
  printLines(lines: readonly string[]): void {
    if (lines.length > 0) this.print(lines.join('\n'));
  }

  /** The names of what was listed, one a line. */
  printNames(listed: readonly { readonly name: string }[]): void {
    this.printLines(listed.map(({ name }) => name));
  }

  /** A table, its headings in bold. */
  printTable(lines: readonly string[]): void {
    this.printLines(lines.map((line, at) => (at === 0 ? this.colors.bold(line) : line)));
  }

  /** Data as JSON, two spaces a level. */
  printJson(value: unknown): void {
    process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** Bytes of data as they are; resolves once they are written, so that their buffer can be used again. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Many small pieces of data, in large writes. */
  async writeAll(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    let gathered: Uint8Array[] = [];
    let length = 0;
    for await (const piece of pieces) {
      gathered.push(piece);
      length += piece.length;
      if (length < GATHERED) continue;
      await this.write(Buffer.concat(gathered));
      gathered = [];
      length = 0;
    }
    if (length > 0) await this.write(Buffer.concat(gathered));
  }

  /** A message for the person; `-q` silences it. */
  say(line: string): void {
    if (!this.quiet) process.stderr.write(`${line}\n`);
  }

  /** Something that the person should know even with `-q`. */
  warn(line: string): void {
    process.stderr.write(`warning: ${line}\n`);
  }

  /** Does long work and shows meanwhile how far it is: a bar on a terminal, else plain lines. */
  async during<Result>(
    subject: string,
    work: (onProgress: Progress['update']) => Promise<Result>,
  ): Promise<Result> {
    const { Progress } = await import('./progress.ts');
    const progress = new Progress(subject, { stream: process.stderr, silent: this.quiet });
    try {
      return await work(progress.update);
    } finally {
      progress.end();
    }
  }

  /** As `during`, of transfers of layers: a bar each on a terminal. */
  async duringTransfers<Result>(
    subject: string,
    work: (told: Pick<TransferBars, 'onProgress' | 'onBlob'>) => Promise<Result>,
  ): Promise<Result> {
    const { TransferBars } = await import('./transfer-bars.ts');
    const bars = new TransferBars(subject, { stream: process.stderr, silent: this.quiet });
    try {
      return await work({ onProgress: bars.onProgress, onBlob: bars.onBlob });
    } finally {
      bars.end();
    }
  }
}

/** Colours, when `stream` is a terminal that shows them and nobody said no. */
export function colorsFor(stream: NodeJS.WriteStream, wanted: boolean): Colors {
  const refused = (process.env['NO_COLOR'] ?? '') !== '' || process.env['TERM'] === 'dumb';
  return pico.createColors(wanted && !refused && stream.isTTY === true);
}
