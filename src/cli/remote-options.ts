import type { Command } from 'commander';
import type { RegistryOptions } from '../registry/index.ts';
import type { Output } from './output.ts';
import { formatDuration } from './progress.ts';

/** What every verb takes that speaks to a registry. */
export interface RemoteFlags {
  readonly plainHttp?: boolean;
  readonly caFile?: string;
}

/** Declares them. */
export function declareRemoteFlags(command: Command): Command {
  return command
    .option('--plain-http', 'speak HTTP without TLS to the registry')
    .option('--ca-file <file>', 'certificates (PEM) to trust beside those of the system');
}

/** As the library takes them; what is tried again is said. */
export function registryOptions({ plainHttp, caFile }: RemoteFlags, output: Output): RegistryOptions {
  return {
    ...(plainHttp !== undefined && { plainHttp }),
    ...(caFile !== undefined && { caFile }),
    onRetry: ({ error, delay }) => {
      output.say(`${error.message}; trying again in ${formatDuration(delay / 1000)}`);
    },
  };
}
