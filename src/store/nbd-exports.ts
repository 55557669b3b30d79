import { CalveError } from '../errors/index.ts';
import { statFile } from '../host/index.ts';
import { allocationDepth, type ExportInfo, type ExportSource, type NbdExport } from '../nbd/index.ts';
import { type Digest, shortDigest } from '../oci/index.ts';
import { openChain } from './chain.ts';
import type { StoreContext } from './context.ts';
import { openEnvDisk } from './env-disk.ts';
import { isEnvName } from './env-name.ts';
import { settled } from './locking.ts';
import type { NbdExportsOptions } from './options.ts';
import { readVersion } from './read-version.ts';
import { findRef, readIndex, refsOf } from './ref-index.ts';
import { isRefName, parseRefName } from './ref-name.ts';
import { listFolder } from './staging.ts';

/**
 * Every ref and env of a store as an export of its name, looked up when a client asks. What a client cannot see in the
 * list it does not get: no version by its digest, however well it is known.
 */
export async function nbdExports(context: StoreContext, options: NbdExportsOptions): Promise<ExportSource> {
  const exports = new StoreExports(context, options);
  if (options.default === undefined || (await exports.find(options.default)) !== undefined) return exports;
  throw new CalveError('not-found', `no ref or environment is called ${options.default}`, {
    hint: 'calve images; calve ls',
  });
}

class StoreExports implements ExportSource {
  readonly #context: StoreContext;
  readonly #options: NbdExportsOptions;

  constructor(context: StoreContext, options: NbdExportsOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Refs, then envs, both by name. Costs a read of the refs and of a folder, however large the disks are. */
  async list(): Promise<ExportInfo[]> {
    await settled(this.#context);
    const refs = refsOf(await readIndex(this.#context));
    const envs = (await listFolder(this.#context.layout.envs)).filter(isEnvName);
    return [
      ...refs.map(({ name, version }) => ({ name, description: describeVersion(version) })),
      ...envs.map((name) => ({ name, description: this.#describeEnv() })),
    ];
  }

  async find(name: string): Promise<NbdExport | undefined> {
    await settled(this.#context);
    const wanted = name === '' ? await this.#defaultName() : name;
    if (wanted === undefined) return undefined;
    return this.#env(wanted) ?? (await this.#version(wanted));
  }

  /** What was said to be the default, else the only export that there is. */
  async #defaultName(): Promise<string | undefined> {
    if (this.#options.default !== undefined) return this.#options.default;
    const [only, ...others] = await this.list();
    return others.length === 0 ? only?.name : undefined;
  }

  #env(name: string): NbdExport | undefined {
    if (!isEnvName(name) || statFile(this.#context.layout.envDocument(name)) === undefined) return undefined;
    const { readOnly = false } = this.#options;
    return {
      ...this.#common(),
      name,
      description: this.#describeEnv(),
      readOnly,
      fastZeroes: true,
      open: () => openEnvDisk(this.#context, name, !readOnly),
    };
  }

  async #version(text: string): Promise<NbdExport | undefined> {
    if (!isRefName(text)) return undefined;
    const ref = findRef(await readIndex(this.#context), parseRefName(text));
    if (ref === undefined) return undefined;
    const { name, version } = ref;
    return {
      ...this.#common(),
      name,
      description: describeVersion(version),
      readOnly: true,
      // The ref may move on: then who comes next gets what it names by then.
      identity: version,
      open: async () => openChain(this.#context, (await readVersion(this.#context, version)).layers),
    };
  }

  #common(): Pick<NbdExport, 'maxClients' | 'contexts'> {
    const { maxClients = 0, allocationDepth: depth = false } = this.#options;
    return { maxClients, contexts: depth ? [allocationDepth] : [] };
  }

  #describeEnv(): string {
    return this.#options.readOnly === true ? 'environment, read-only' : 'environment';
  }
}

function describeVersion(version: Digest): string {
  return `version ${shortDigest(version)}, read-only`;
}
