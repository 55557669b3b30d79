import { CalveError } from '../errors/index.ts';
import type { Disk } from './disk.ts';
import type { DiskOperation } from './disk-operation.ts';
import { interceptDisk } from './intercept-disk.ts';
import type { WrapOptions, Wrapped } from './wrap-disk.ts';

/** How an operation fails. */
export interface Fault {
  readonly code: 'io' | 'no-space';
  /** Bytes, from its start, that a write, zeroing or discard gets done before it fails (default 0). */
  readonly torn?: number;
}

/** Decides about each operation: a fault, or undefined to let it pass. */
export type FaultPlan = (operation: DiskOperation) => Fault | undefined;

/**
 * A disk that fails as planned, with the errors of a real one. A `tryRead` counts, as a read, when it is served.
 *
 * @example
 * const full = faultyDisk(disk, ({ kind, index }) =>
 *   kind === 'write' && index >= 3 ? { code: 'no-space', torn: 512 } : undefined);
 */
export function faultyDisk<D extends Disk>(disk: D, plan: FaultPlan, options?: WrapOptions): Wrapped<D>;
export function faultyDisk(disk: Disk, plan: FaultPlan, options?: WrapOptions): Disk {
  return interceptDisk(
    disk,
    {
      async around(operation, pass) {
        const fault = plan(operation);
        if (!fault) return pass();
        const torn = Math.min(fault.torn ?? 0, operation.length);
        if (torn > 0 && TEARABLE.has(operation.kind)) await pass(torn);
        throw injected(fault, operation);
      },
      tryRead(quickRead, asOperation) {
        if (!quickRead()) return false;
        const operation = asOperation();
        const fault = plan(operation);
        if (fault) throw injected(fault, operation);
        return true;
      },
    },
    options,
  );
}

const TEARABLE: ReadonlySet<DiskOperation['kind']> = new Set(['write', 'writeZeroes', 'discard']);

function injected({ code }: Fault, operation: DiskOperation): CalveError {
  const { kind, offset, length, index } = operation;
  const what =
    kind === 'flush' ? '' : kind === 'resize' ? ` to ${length} bytes` : ` ${length} bytes at ${offset}`;
  return new CalveError(code, `cannot ${kind}${what}: injected ${code} fault in operation ${index}`, {
    data: { ...operation },
  });
}
