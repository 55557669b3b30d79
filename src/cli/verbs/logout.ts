import { describePlace } from '../describe-place.ts';
import { printable } from '../printable.ts';
import type { Verb } from '../verb.ts';

/** `calve logout HOST` */
export const logout: Verb = {
  examples: [{ line: 'calve logout registry.example.com', does: 'forget who you are there' }],
  declare: (command, session) => {
    command.argument('<host>', 'the registry: HOST[:PORT]').action(async (host: string) => {
      const { logout: logOut } = await import('../../registry/index.ts');
      const place = await logOut(host);
      session.output.say(
        printable(
          place === undefined
            ? `not logged in to ${host}`
            : `logged out of ${host}; was kept ${describePlace(place)}`,
        ),
      );
    });
  },
};
