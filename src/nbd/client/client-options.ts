/** How an export is used. */
export interface NbdClientOptions {
  /** Nothing can be written (default true). */
  readonly readOnly?: boolean;
  /** The most connections at a time, where the server can do with several (default 4). They are made as they are needed. */
  readonly connections?: number;
  /** Bytes of the commands under way, past which others wait (default 16 MiB). */
  readonly bytesInFlight?: number;
  /** How long a server may take until a connection can be used, milliseconds (default 30,000). */
  readonly handshakeMs?: number;
  /**
   * How many times a connection that was lost is made anew, after 0.1 seconds, and twice as long each time up to 5, and a
   * command repeated (default 8). For reading alone: what a server had not yet stored cannot be known of.
   */
  readonly retries?: number;
  /** Names of further metadata contexts, of whose word `statuses` tells where the server has them. */
  readonly contexts?: readonly string[];
  /** Ends every connection, and fails what is under way and all that comes. */
  readonly signal?: AbortSignal;
}

/** Options that are all there. */
export type ClientSettings = Required<Omit<NbdClientOptions, 'signal'>> & { readonly signal: AbortSignal };

/** Fills in what was not said. */
export function clientSettings({ signal, ...options }: NbdClientOptions): ClientSettings {
  return {
    readOnly: true,
    connections: 4,
    bytesInFlight: 16 << 20,
    handshakeMs: 30_000,
    retries: 8,
    contexts: [],
    ...options,
    signal: signal ?? new AbortController().signal,
  };
}
