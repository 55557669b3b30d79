// Loaded by `npm test` into the process of every test file: one that a failed test left something open in, or that hangs,
// would never end. Not `--test-force-exit`, which drops the tests behind an `await` of the file, and tells of nothing.
import { isMainThread } from 'node:worker_threads';

/** What no file takes on the slowest machine, in milliseconds. */
const PATIENCE = 10 * 60_000;

const { NODE_TEST_CONTEXT } = process.env;
if (isMainThread && NODE_TEST_CONTEXT !== undefined) {
  const giveUp = () => {
    const open = process.getActiveResourcesInfo().join(', ');
    process.stderr.write(`${process.argv[1]} does not end; open are: ${open}\n`);
    process.exit(1);
  };
  setTimeout(giveUp, PATIENCE).unref();
}
