import type { StoreContext } from './context.ts';
import type { PullOptions, PushOptions, RemoteOptions } from './options.ts';
import type { PullResult, PushResult, RemoteMove, RemoteRef } from './types.ts';

/**
 * Remotes: repositories of OCI registries, `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`, and other stores or OCI image layouts,
 * `/srv/store[:REF]`, `oci:DIR[:REF]`.
 *
 * All throw CalveError `usage` for a malformed name; `denied` when the registry lets nobody in, or not this one; `not-found`;
 * `io` after several tries; `invalid` for a registry that breaks the protocol; `aborted`. What was transferred until then is
 * gone on from the next time.
 */
export class Remotes {
  readonly #context: StoreContext;
  constructor(context: StoreContext) {
    this.#context = context;
  }

  /**
   * Brings a version and its history to a remote, and gives it a name there.
   * @throws CalveError `diverged` when what has the name there does not lead to the version, or somebody else moved it
   * meanwhile; `exists` when it is no version; `changed` when a layer here is not what it was
   */
  async push(expression: string, remote: string, options: PushOptions = {}): Promise<PushResult> {
    const { push } = await import('./remotes/push.ts');
    return push(this.#context, expression, remote, options);
  }

  /**
   * Brings a version with its history from a remote, and moves a ref to it.
   * @throws CalveError `diverged` when the ref's version does not lead to it; `denied` when the ref is protected;
   * `unsupported` for what is no version; `corrupt`, `changed` for what claims to be one and is not: nothing of it stays
   */
  async pull(remote: string, options: PullOptions = {}): Promise<PullResult> {
    const { pull } = await import('./remotes/pull.ts');
    return pull(this.#context, remote, options);
  }

  /** What has a name at a remote: the tags of a repository, the refs of another store. */
  async *list(remote: string, options: RemoteOptions = {}): AsyncGenerator<RemoteRef> {
    const { listRemote } = await import('./remotes/list-remote.ts');
    yield* listRemote(remote, options);
  }

  /** Pushes and pulls that were done, the newest first. */
  async *history(): AsyncGenerator<RemoteMove> {
    const { remoteMoves } = await import('./remotes/remote-log.ts');
    yield* remoteMoves(this.#context);
  }
}
