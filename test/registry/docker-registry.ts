import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { finish, type Running, report, start, succeed } from '../support/programs.ts';

export interface DockerRegistryOptions {
  /** A folder that `makeCertificates` made: the registry speaks TLS. */
  readonly certificates?: string;
  /** Speaks to clients alone that have a certificate of that folder. */
  readonly onlyCertified?: boolean;
  /** Who alone is let in. */
  readonly user?: { readonly username: string; readonly password: string };
}

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly port: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again, on the same port, with what it holds. */
  restart(): Promise<void>;
}

/** A registry of Debian's on a free port of the loopback; what it holds lies in `folder`. */
export async function dockerRegistry(
  folder: string,
  { certificates, onlyCertified, user }: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const config = join(folder, 'config.json');
  const htpasswd = join(folder, 'htpasswd');
  if (user) {
    await writeFile(htpasswd, await succeed('htpasswd', ['-nbB', '-C', '4', user.username, user.password]));
  }
  // YAML takes JSON.
  const settings = {
    version: '0.1',
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'of a test',
      ...(certificates && {
        tls: {
          certificate: join(certificates, 'server-cert.pem'),
          key: join(certificates, 'server-key.pem'),
          ...(onlyCertified === true && { clientcas: [join(certificates, 'ca-cert.pem')] }),
        },
      }),
    },
    ...(user && { auth: { htpasswd: { realm: 'a test', path: htpasswd } } }),
  };
  await writeFile(config, JSON.stringify(settings));

  let running = await startRegistry(config, port);
  const end = async (signal: NodeJS.Signals) => {
    running.child.kill(signal);
    await finish(running);
  };
  return {
    host: `127.0.0.1:${port}`,
    port,
    kill: () => end('SIGKILL'),
    async restart() {
      running = await startRegistry(config, port);
    },
    [Symbol.asyncDispose]: () => end('SIGKILL'),
  };
}

async function startRegistry(config: string, port: number): Promise<Running> {
  const running = start('docker-registry', ['serve', config]);
  const ended = running.ended.then((ran) => {
    throw new Error(`the registry ended at once: ${report(ran)}`);
  });
  ended.catch(() => {});
  while (!(await Promise.race([accepts(port), ended]))) await sleep(10);
  return running;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return address.port;
}
