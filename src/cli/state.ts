import type { EnvState } from '../store/index.ts';

/** `idle`, or who has the overlay open: `in use by qemu-system-x86 (pid 4711)`. */
export function formatState(state: EnvState): string {
  if (state === 'idle') return 'idle';
  const holders = state.inUse.map((holder) => `${holder.command} (pid ${holder.pid})`);
  return holders.length === 0 ? 'in use' : `in use by ${holders.join(', ')}`;
}
