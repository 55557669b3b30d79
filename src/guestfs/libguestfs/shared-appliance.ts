import type { Disk } from '../../disk/index.ts';
import { Appliance, type StartOptions } from './appliance.ts';

/** An appliance that is in use until it is let go of. */
export interface HeldAppliance {
  readonly appliance: Appliance;
  release(): Promise<void>;
}

/** The one virtual machine for a disk: started when the first of its file systems is opened, ended when the last is closed. */
export class SharedAppliance {
  readonly #parts: Disk[] = [];
  #running: Promise<Appliance> | undefined;
  #holders = 0;

  /** Adds a volume that it is to see, before it starts; it stays open. @returns its number */
  add(part: Disk): number {
    this.#parts.push(part);
    return this.#parts.length - 1;
  }

  /** @param what it is for, in an error @throws CalveError as `Appliance.start` */
  async hold(what: string, options: StartOptions): Promise<HeldAppliance> {
    this.#holders += 1;
    this.#running ??= Appliance.start(this.#parts, what, options);
    const running = this.#running;
    try {
      const appliance = await running;
      return { appliance, release: once(() => this.#release(appliance)) };
    } catch (error) {
      this.#holders -= 1;
      if (this.#running === running) this.#running = undefined;
      throw error;
    }
  }

  async #release(appliance: Appliance): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#running = undefined;
    await appliance.close();
  }
}

function once(action: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= action());
}
