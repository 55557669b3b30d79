import { Argument } from 'commander';
import { completionScripts } from '../completion/scripts.ts';
import type { Verb } from '../verb.ts';

/** `calve completion SHELL` */
export const completion: Verb = {
  examples: [
    { line: 'source <(calve completion bash)', does: 'in ~/.bashrc' },
    { line: 'source <(calve completion zsh)', does: 'in ~/.zshrc, after compinit' },
    { line: 'calve completion fish > ~/.config/fish/completions/calve.fish', does: 'once' },
  ],
  declare: (command, session) => {
    command
      .addArgument(new Argument('<shell>', 'whose script').choices(Object.keys(completionScripts)))
      .action((shell: keyof typeof completionScripts) => session.output.print(completionScripts[shell]));
  },
};
