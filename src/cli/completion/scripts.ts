import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

/** The completion script of each shell. All ask `calve __complete`, so that refs and environments complete too. */
export const completionScripts: Readonly<Record<'bash' | 'zsh' | 'fish', string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
