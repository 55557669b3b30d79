import { setFlagsFromString } from 'node:v8';

// Of V8's heap, the part for new objects doubles each time that much of it is still in use when it is full, up to
//   128 MiB on Node 24. The factor is read whenever it is about to grow (decision 035).

/** New objects get no more room than they begin with: less memory for a command that keeps many of them for a while. */
export function keepYoungSpaceSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** New objects get more room as they need it: for a server, whose requests make many that are soon gone. */
export function letYoungSpaceGrow(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
