import { text } from 'node:stream/consumers';
import { CalveError } from '../../errors/index.ts';
import { canAsk } from '../ask.ts';
import { askSecret, askText } from '../ask-text.ts';
import { describePlace } from '../describe-place.ts';
import { printable } from '../printable.ts';
import { declareRemoteFlags, type RemoteFlags, registryOptions } from '../remote-options.ts';
import type { Session } from '../session.ts';
import type { Verb } from '../verb.ts';

interface Options extends RemoteFlags {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

/** `calve login HOST` */
export const login: Verb = {
  examples: [
    { line: 'calve login registry.example.com', does: 'asks for a name and a password or token' },
    {
      line: 'calve login -u ci --password-stdin registry.example.com < token.txt',
      does: 'for scripts: no secret on the command line',
    },
  ],
  declare: (command, session) => {
    command
      .argument('<host>', 'the registry: HOST[:PORT]')
      .option('-u, --username <name>', 'who')
      .option('--password-stdin', 'read the password from stdin');
    declareRemoteFlags(command).action(async (host: string, options: Options) => {
      const { output, signal } = session;
      const credentials = await readCredentials(session, host, options);
      const { login: logIn } = await import('../../registry/index.ts');
      const place = await logIn(host, credentials, { ...registryOptions(options, output), signal });
      output.say(printable(`logged in to ${host} as ${credentials.username}; kept ${describePlace(place)}`));
    });
  },
};

async function readCredentials(
  session: Session,
  host: string,
  { username, passwordStdin = false }: Options,
): Promise<{ username: string; password: string }> {
  if (passwordStdin) {
    if (username === undefined) {
      throw new CalveError('usage', '--password-stdin: whose password?', {
        hint: `calve login -u NAME --password-stdin ${host}`,
      });
    }
    const password = (await text(process.stdin)).replace(/\r?\n$/, '');
    if (password === '') throw new CalveError('usage', 'the password on stdin is empty');
    return { username, password };
  }
  if (!canAsk()) {
    throw new CalveError('usage', 'without a terminal to ask on, the password comes from stdin', {
      hint: `calve login -u NAME --password-stdin ${host}`,
    });
  }
  const name = username ?? (await askText(session, `Username for ${host}: `));
  const password = await askSecret(session, `Password of ${name}: `);
  if (name === '' || password === '') throw new CalveError('usage', 'neither name nor password can be empty');
  return { username: name, password };
}
