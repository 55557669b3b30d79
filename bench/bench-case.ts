/** One measurement: the same work done by calve and by a peer. */
export interface BenchCase {
  readonly name: string;
  /** Work of one run, in `unit`s. */
  readonly amount: number;
  readonly unit: 'MB' | 'ops';
  /** Makes what the case works on. Not measured; called once, ahead of the first run. */
  readonly prepare?: () => Promise<void>;
  /** Does the work once; resolves to the seconds that it took. */
  readonly calve: () => Promise<number>;
  readonly peer: () => Promise<number>;
  /** Ends what the case keeps running. Called once, after the last run. */
  readonly end?: () => Promise<void>;
}

/** What a group of cases works with. */
export interface BenchScene {
  /** Measures little, to be done in a minute. */
  readonly short: boolean;
  /** The path of a file in the folder of this run, which is removed at its end. */
  join(name: string): string;
}
