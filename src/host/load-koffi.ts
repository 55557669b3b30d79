import { createRequire } from 'node:module';
import type Koffi from 'koffi';
import { CalveError } from '../errors/index.ts';

/** Those whose C library is declared here as it is: 64 bits, and one way to call functions. */
const MACHINES = ['x64', 'arm64', 'riscv64', 'loong64'];

/** koffi, or why there is none: it is not 64-bit Linux, or koffi does not load. Takes 20 ms the first time. */
export function loadKoffi(): typeof Koffi | CalveError {
  const platform = `${process.platform} ${process.arch}`;
  if (process.platform !== 'linux' || !MACHINES.includes(process.arch)) {
    return new CalveError('unsupported', `expected Linux on one of ${MACHINES.join(', ')}, got ${platform}`);
  }
  try {
    return createRequire(import.meta.url)('koffi');
  } catch (cause) {
    return new CalveError('unsupported', `koffi does not load on ${platform}`, {
      hint: 'npm rebuild koffi',
      cause,
    });
  }
}
