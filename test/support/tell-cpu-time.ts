// Loaded into a process by `--import`: when it ends, the file that CPU_TIME_FILE names has its processor time, milliseconds.
import { writeFileSync } from 'node:fs';

const { CPU_TIME_FILE } = process.env;
process.on('exit', () => {
  const { user, system } = process.cpuUsage();
  if (CPU_TIME_FILE !== undefined) writeFileSync(CPU_TIME_FILE, String((user + system) / 1000));
});
