import { BYTES_A_CLUSTER, STRETCH } from './reference-counts.ts';

/** Host clusters that are dealt with together. */
export interface Window {
  readonly first: number;
  /** The cluster behind. */
  readonly end: number;
}

/**
 * Cuts the clusters up to `end` into windows that fit in `memory` bytes.
 * @param bytesACluster of memory (default what counting its references costs)
 */
export function windowsOf(end: number, memory: number, bytesACluster: number = BYTES_A_CLUSTER): Window[] {
  const size = Math.max(1, Math.floor(memory / bytesACluster / STRETCH)) * STRETCH;
  const windows: Window[] = [];
  for (let first = 0; first < end; first += size) windows.push({ first, end: Math.min(end, first + size) });
  return windows;
}
