import { InvalidArgumentError, Option } from 'commander';
import { CalveError } from '../../errors/index.ts';
import type { NbdOptions } from '../nbd/nbd-options.ts';
import { declareRefused, refuseRefused } from '../nbd/refused-options.ts';
import type { Verb } from '../verb.ts';

/** `calve nbd ENV|REF|FILE`, `calve nbd --store`, `calve nbd --list` */
export const nbd: Verb = {
  examples: [
    { line: 'calve nbd -k /tmp/web.sock web', does: 'serve an environment until the last client has gone' },
    { line: 'calve nbd -t -p 10809 debian:12', does: 'serve a version, read-only, to this machine alone' },
    { line: 'calve nbd --store -t -k /tmp/all.sock', does: 'serve every ref and environment by its name' },
    { line: 'calve nbd --fork --pid-file /tmp/nbd.pid -k /tmp/d.sock disk.qcow2', does: 'in the background' },
    { line: 'calve nbd -L -k /tmp/all.sock', does: 'list what a server serves' },
  ],
  declare: (command, session) => {
    command
      .argument(
        '[env|ref|file]',
        'an environment, a version or a raw or qcow2 file; with --store none: all of them',
      )
      .option('-k, --socket <file>', 'the unix socket to listen on')
      .option('-p, --port <port>', 'the TCP port (default: 10809; 0: a free one)', port)
      .option('-b, --bind <address>', 'the address to listen at (default: 127.0.0.1, this machine alone)')
      .option('-r, --read-only', 'clients may not write; a version is never written')
      .option('-t, --persistent', 'go on when the last client has gone')
      .option(
        '-e, --shared <number>',
        'clients at a time, 0 for any number (default: 1 where they may write)',
        number,
      )
      .option(
        '-x, --export-name <name>',
        'what clients call it (default: nothing); with --store: what they get who name nothing',
      )
      .option('-D, --description <text>', 'for people who list exports')
      .option('-A, --allocation-depth', 'clients may ask how deep in the chain a block lies')
      .option('-B, --bitmap <name>', 'clients may ask for this dirty bitmap (again for another)', collect)
      .addOption(
        new Option('-f, --format <format>', 'what FILE is (default: look)').choices(['raw', 'qcow2']),
      )
      .option('--chain', 'follow the backing files and data file that FILE names; if it is trusted')
      .option('-l, --load-snapshot <snapshot>', 'serve an internal snapshot of FILE: ID or NAME, read-only')
      .option('--secret-file <file>', 'holds the passphrase of an encrypted FILE, to the byte')
      .option('-L, --list', 'list the exports of another server, at --socket, or --bind and --port')
      .option('--tls-creds <dir>', 'speak TLS only: a folder of certificates, or the id of an --object')
      .option(
        '--object <object>',
        "credentials as QEMU's: tls-creds-x509 or tls-creds-psk,id=ID,dir=DIR,endpoint=server",
        collect,
      )
      .option('--tls-hostname <name>', "with --list: the name that the server's certificate must have")
      .option('--fork', 'return when clients can connect, and serve in the background')
      .option('--pid-file <file>', "holds the server's process id while it runs")
      .option('-v, --verbose', 'tell of clients that break the protocol')
      .option('--json', 'print JSON (docs/json.md)');
    declareRefused(command);
    command.action(async (target: string | undefined, options: NbdOptions) => {
      refuseRefused(command);
      if (options.list === true) {
        if (target !== undefined) throw new CalveError('usage', '--list looks at a server: name no disk');
        const { listExports } = await import('../nbd/list-exports.ts');
        return listExports(session, options);
      }
      const { serveNbd } = await import('../nbd/serve-nbd.ts');
      await serveNbd(session, target, options);
    });
  },
};

function port(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  throw new InvalidArgumentError('expected a port from 1 to 65535, or 0.');
}

function number(text: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0) return value;
  throw new InvalidArgumentError('expected a whole number, 0 or more.');
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
