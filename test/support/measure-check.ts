// A program: checks or repairs an image and prints what came of it, the seconds of processors and the memory that it took.

import { CalveError } from '../../src/errors/index.ts';
import { checkQcow2 } from '../../src/qcow2/check/check-qcow2.ts';
import { repairQcow2 } from '../../src/qcow2/check/repair-qcow2.ts';

const [path = '', small = '', what = 'check'] = process.argv.slice(2);
// What the code itself takes is not what the image takes.
await checkQcow2(small);
const before = process.resourceUsage().maxRSS;
// Not the time on the wall, which is shared with whatever else the machine does.
const started = process.cpuUsage();
const verdict = await judge();
const { user, system } = process.cpuUsage(started);
const seconds = (user + system) / 1e6;
const megabytes = (process.resourceUsage().maxRSS - before) / 1024;
process.stdout.write(JSON.stringify({ ...verdict, seconds, megabytes }));

async function judge(): Promise<object> {
  try {
    const { corruptions, leaks, checkErrors } =
      what === 'repair' ? await repairQcow2(path, { repair: 'all' }) : await checkQcow2(path);
    return { corruptions, leaks, checkErrors };
  } catch (error) {
    if (CalveError.is(error)) return { code: error.code };
    throw error;
  }
}
