import type { StoreLayout } from './layout.ts';

/** What every operation of the store works with. */
export interface StoreContext {
  readonly layout: StoreLayout;
  /** Called before each step that outlives a crash, with its name; tests end the process there. */
  readonly step: (name: string) => void;
}
