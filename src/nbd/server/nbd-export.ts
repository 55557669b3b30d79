import type { Disk } from '../../disk/index.ts';
import type { MetaContext } from './meta-context.ts';

/** What a server tells of an export to who lists them. */
export interface ExportInfo {
  /** As clients ask for it; '' is the one that they get who name none. */
  readonly name: string;
  /** For people. */
  readonly description: string;
}

/** A disk that clients may connect to. */
export interface NbdExport extends ExportInfo {
  /** Clients may not write, whatever the disk can do. */
  readonly readOnly: boolean;
  /** How many clients may be connected at a time; 0 is any number (default 0). */
  readonly maxClients?: number;
  /** Zeros cost the disk no more than a change of tables (default false). */
  readonly fastZeroes?: boolean;
  /**
   * Which disk of this name it is, where a name may come to mean another disk: who comes then gets that one, while
   * those who are there keep theirs. Such an export does not offer several connections (default: the name).
   */
  readonly identity?: string;
  /** What block status can be asked for, beside `base:allocation`. */
  readonly contexts?: readonly MetaContext[];
  /**
   * Opens the disk. Called when a client comes and none is there; the disk is shared by all that come meanwhile, and
   * closed when the last one has gone.
   * @throws CalveError whatever keeps it from being opened: the client is told that the export is not available
   */
  open(): Promise<Disk>;
}

/** Where a server finds its exports; asked anew by each client. */
export interface ExportSource {
  list(): Promise<readonly ExportInfo[]>;
  /** Undefined when there is no export of this name. */
  find(name: string): Promise<NbdExport | undefined>;
}

/** The exports of a list that does not change. The first is also what clients get who name none. */
export function fixedExports(exports: readonly NbdExport[]): ExportSource {
  const [first] = exports;
  return {
    list: async () => exports,
    find: async (name) => exports.find((each) => each.name === name) ?? (name === '' ? first : undefined),
  };
}
