import { homedir } from 'node:os';
import { join } from 'node:path';

const { CALVE_TEST_CACHE, XDG_CACHE_HOME } = process.env;

/** Where what is dear to make is kept from one run of the tests to the next. */
export const cacheFolder: string =
  CALVE_TEST_CACHE ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'calve-test');
