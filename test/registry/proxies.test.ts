import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, it } from 'node:test';
import { openRepository } from '../../src/registry/index.ts';
import { makeCertificates } from '../support/certificates.ts';
import { refused } from '../support/refused.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { dockerRegistry } from './docker-registry.ts';
import { fakeRegistry } from './fake-registry.ts';
import { testOptions } from './scene.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

/** A proxy that reaches every host on the loopback; what it was asked for, and by whom. */
async function proxyServer(): Promise<{ readonly url: string; readonly asked: string[] } & AsyncDisposable> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '');
    asked.push(`${request.method} ${url.host} ${request.headers['proxy-authorization'] ?? 'nobody'}`);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = httpRequest(
      { host: '127.0.0.1', port: url.port, path: url.pathname + url.search, method: request.method, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers['proxy-authorization'] ?? 'nobody'}`);
    const onward = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const each of [socket, onward]) each.on('error', () => {});
    server.on('close', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return {
    url: `http://pat:pass@127.0.0.1:${address.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      server.emit('close');
    },
  };
}

const who = `Basic ${Buffer.from('pat:pass').toString('base64')}`;

it('proxies are used for plain HTTP, where NO_PROXY does not name the host, and never for the loopback', async () => {
  await using registry = await fakeRegistry();
  await using proxy = await proxyServer();
  const { port } = new URL(registry.url);
  const env = { HTTP_PROXY: proxy.url, NO_PROXY: 'direct.example' };
  // A name that only the proxy knows.
  await using repository = openRepository(`registry.example:${port}/a/b`, testOptions({ env }));
  assert.equal(await repository.manifests.find('x'), undefined);
  assert.deepEqual(proxy.asked, [`HEAD registry.example:${port} ${who}`]);
  await using direct = openRepository(`direct.example:${port}/a/b`, testOptions({ env }));
  await refused(direct.manifests.find('x'), 'io', /ENOTFOUND|EAI_AGAIN/);
  await using here = openRepository(`${registry.host}/a/b`, testOptions({ env }));
  assert.equal(await here.manifests.find('x'), undefined);
  assert.equal(proxy.asked.length, 1);
});

it('proxies are passed through by TLS, which they see nothing of', async () => {
  const certificates = await makeCertificates(folder.join('certificates'), 'DNS:registry.example');
  await using registry = await dockerRegistry(folder.join('registry'), { certificates });
  await using proxy = await proxyServer();
  const options = { caFile: `${certificates}/ca-cert.pem`, env: { https_proxy: proxy.url } };
  await using repository = openRepository(`registry.example:${registry.port}/a/b`, options);
  assert.equal(await repository.manifests.find('x'), undefined);
  assert.deepEqual(proxy.asked, [`CONNECT registry.example:${registry.port} ${who}`]);
  await using other = openRepository(`other.example:${registry.port}/a/b`, options);
  await refused(other.manifests.find('x'), 'denied', /certificate is not trusted/);
});
