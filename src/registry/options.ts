import type { Credentials } from './auth/credentials.ts';

/** How a registry is spoken to. */
export interface RegistryOptions {
  /**
   * True: plain HTTP. False: HTTPS alone. Without it HTTPS, but a registry on this machine's loopback that does not
   * speak TLS is spoken to in plain HTTP.
   */
  readonly plainHttp?: boolean;
  /** A file with certificates (PEM) that are trusted beside the system's. */
  readonly caFile?: string;
  /** Who asks. Without it what was stored by `login`, by docker, podman or skopeo; then nobody. */
  readonly credentials?: Credentials;
  /** The file that credentials are looked up in, instead of the usual ones. */
  readonly authFile?: string;
  /** The environment with HTTPS_PROXY, NO_PROXY, HOME, DOCKER_CONFIG … (default `process.env`). */
  readonly env?: NodeJS.ProcessEnv;
  readonly limits?: Partial<RegistryLimits>;
  /** Told before each wait after which something is tried again. */
  readonly onRetry?: (retry: Retry) => void;
  /** Waits; for tests (default a timer). Rejects when the signal is aborted. */
  readonly wait?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
}

/** Something that failed for the time being, and is tried again. */
export interface Retry {
  /** Why. */
  readonly error: Error;
  /** Milliseconds until then. */
  readonly delay: number;
}

/** Times in milliseconds, sizes in bytes. */
export interface RegistryLimits {
  /** Until a connection is made (30,000). */
  readonly connectMs: number;
  /** In which no byte comes or goes (60,000). */
  readonly stallMs: number;
  /** Until an answer begins after all was sent: a registry hashes a whole blob in this time (300,000). */
  readonly answerMs: number;
  /** How many times something is tried again without getting further than before (6). */
  readonly retries: number;
  /** The first wait (500); each is twice as long as the one before it, less up to a half by chance … */
  readonly firstDelayMs: number;
  /** … and at most this long (30,000). */
  readonly longestDelayMs: number;
  /** The longest wait that a registry may ask for by Retry-After (120,000): more is an error that says so. */
  readonly longestRetryAfterMs: number;
  /** Bytes of one piece of an upload (16 MiB); blobs that are no larger are sent at once. */
  readonly chunkSize: number;
  /** Bytes from which on a blob is read on a connection of its own, which takes less of the processor (4 MiB). */
  readonly ownConnectionSize: number;
}

const DEFAULT_LIMITS: RegistryLimits = {
  connectMs: 30_000,
  stallMs: 60_000,
  answerMs: 300_000,
  retries: 6,
  firstDelayMs: 500,
  longestDelayMs: 30_000,
  longestRetryAfterMs: 120_000,
  chunkSize: 16 << 20,
  ownConnectionSize: 4 << 20,
};

/** What was said, and the usual for the rest. */
export function limitsOf(options: RegistryOptions): RegistryLimits {
  return { ...DEFAULT_LIMITS, ...options.limits };
}
