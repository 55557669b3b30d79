import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Disk } from '../../disk/index.ts';
import { CalveError, systemError } from '../../errors/index.ts';
import { diskExport, fixedExports, listenUnix, NbdServer } from '../../nbd/index.ts';
import { Guestfish } from './guestfish.ts';
import { quoted } from './quoted.ts';

/** Emulated, and on a machine with much else to do, a start was seen to take 80 s. */
const START_MS = 300_000;
/** More disks than virtio-scsi takes at one go. */
const MOST_PARTS = 200;

/** How an appliance is started. */
export interface StartOptions {
  /** Ends it, also later. */
  readonly signal?: AbortSignal | undefined;
  /** Called before what takes seconds. */
  readonly onStart?: (() => void) | undefined;
}

/**
 * A virtual machine of libguestfs that reads volumes of a disk, each as a disk of its own, through our NBD server on a socket
 * that nobody else can reach. Nothing is written: what its kernel writes, when it replays a journal, goes into an overlay of libguestfs.
 */
export class Appliance implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #fish: Guestfish;
  readonly #devices: readonly string[];
  readonly #mounts = new Map<number, Promise<string>>();
  readonly #failures: readonly unknown[];

  private constructor(
    stack: AsyncDisposableStack,
    fish: Guestfish,
    devices: readonly string[],
    failures: readonly unknown[],
  ) {
    this.#stack = stack;
    this.#fish = fish;
    this.#devices = devices;
    this.#failures = failures;
  }

  /**
   * @param parts what it is to see; they stay open
   * @param what it is for, in an error
   * @throws CalveError `unsupported` without guestfish; `io` when the machine does not start; `aborted`
   */
  static async start(
    parts: readonly Disk[],
    what: string,
    { signal, onStart }: StartOptions,
  ): Promise<Appliance> {
    if (parts.length > MOST_PARTS) {
      throw new CalveError(
        'unsupported',
        `${parts.length} partitions; ${MOST_PARTS} are handed to libguestfs`,
      );
    }
    await using stack = new AsyncDisposableStack();
    const folder = await privateFolder(stack);
    const failures: unknown[] = [];
    const socket = join(folder, 'nbd');
    const server = stack.use(await serve(parts, failures));
    await listenUnix(server, socket);
    const fish = stack.use(await Guestfish.start(folder, what, signal));
    const address = quoted(Buffer.from(`server:unix:${socket}`));
    for (let part = 0; part < parts.length; part += 1) {
      await fish.command(['add', `"${part}"`, 'readonly:true', 'format:raw', 'protocol:nbd', address]);
    }
    onStart?.();
    await fish.launch(START_MS);
    const devices = (await fish.command(['list-devices'])).toString('latin1').trim().split('\n');
    if (devices.length !== parts.length || !devices.every((device) => /^\/dev\/[a-z]+$/.test(device))) {
      throw new CalveError(
        'io',
        `expected ${parts.length} disks in the virtual machine of libguestfs, got ${devices}`,
      );
    }
    return new Appliance(stack.move(), fish, devices, failures);
  }

  /**
   * Mounts the file system of a part, once, for reading.
   * @returns where its files begin
   * @throws CalveError `corrupt` when the kernel does not take it
   */
  mount(part: number, options: string): Promise<string> {
    const device = this.#devices[part];
    if (device === undefined) throw new TypeError('no such part');
    const mounted = this.#mounts.get(part) ?? this.#mount(device, `/${part}`, options);
    this.#mounts.set(part, mounted);
    return mounted;
  }

  /**
   * Gives guestfish a command.
   * @throws CalveError as `Guestfish.command`; `io` where it was the disk that could not be read
   */
  async command(...[words, options]: Parameters<Guestfish['command']>): Promise<Buffer> {
    const before = this.#failures.length;
    try {
      return await this.#fish.command(words, options);
    } catch (error) {
      if (this.#failures.length === before || !CalveError.is(error, 'corrupt')) throw error;
      const cause = this.#failures.at(-1);
      throw new CalveError('io', cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  /** Ends the virtual machine, and takes the socket away. */
  close(): Promise<void> {
    return this.#stack.disposeAsync();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #mount(device: string, point: string, options: string): Promise<string> {
    await this.command(['mkmountpoint', point]);
    await this.command(['mount-options', options, quoted(Buffer.from(device)), point]);
    return point;
  }
}

async function privateFolder(stack: AsyncDisposableStack): Promise<string> {
  try {
    const folder = await mkdtemp(join(tmpdir(), 'calve-'));
    stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    return folder;
  } catch (error) {
    throw systemError(`cannot make a folder in ${tmpdir()}`, error);
  }
}

async function serve(parts: readonly Disk[], failures: unknown[]): Promise<NbdServer> {
  const exports = parts.map((part, number) => diskExport(part, { name: String(number), readOnly: true }));
  return new NbdServer({
    exports: fixedExports(await Promise.all(exports)),
    onClientError: (error) => failures.push(error),
  });
}
