/** What may be said after `calve nbd`, as it was parsed. */
export interface NbdOptions {
  readonly socket?: string;
  readonly port?: number;
  readonly bind?: string;
  readonly format?: 'raw' | 'qcow2';
  readonly chain?: boolean;
  readonly loadSnapshot?: string;
  readonly secretFile?: string;
  readonly readOnly?: boolean;
  readonly persistent?: boolean;
  readonly shared?: number;
  readonly exportName?: string;
  readonly description?: string;
  readonly allocationDepth?: boolean;
  readonly bitmap?: readonly string[];
  readonly list?: boolean;
  readonly object?: readonly string[];
  readonly tlsCreds?: string;
  readonly tlsHostname?: string;
  readonly fork?: boolean;
  readonly pidFile?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
}
