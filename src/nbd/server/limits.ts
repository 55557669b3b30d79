/** What one client, or all together, can take of a server. */
export interface Limits {
  /** Commands of a client under way at a time. */
  readonly requestsInFlight: number;
  /** Bytes of a client's commands under way and replies that wait to be sent: past it, nothing more is begun for it. */
  readonly clientBytes: number;
  /** The same bytes of all clients together: each has an equal share, and at least 32 KiB. */
  readonly serverBytes: number;
  /** How long the server waits for a client that is to say what it wants, milliseconds. */
  readonly handshakeMs: number;
  /** How long a connection that ends waits for a client that does not take its replies, milliseconds. */
  readonly farewellMs: number;
  /** Clients at a time. */
  readonly clients: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestsInFlight: 256,
  clientBytes: 8 << 20,
  serverBytes: 24 << 20,
  handshakeMs: 10_000,
  farewellMs: 10_000,
  clients: 512,
};
