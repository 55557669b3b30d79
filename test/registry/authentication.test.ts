import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { after, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { digestOf } from '../../src/oci/index.ts';
import { blobSourceOfBytes, login, openRepository, type UploadState } from '../../src/registry/index.ts';
import { refused } from '../support/refused.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { fakeRegistry } from './fake-registry.ts';
import { type Fault, faultProxy } from './fault-proxy.ts';
import { httpServer } from './http-server.ts';
import { randomBytes, testOptions } from './scene.ts';
import { type TokenServer, tokenServer } from './token-server.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());

const user = { username: 'ann', password: 'correct horse' };
const bytes = randomBytes(100_000);
const source = blobSourceOfBytes(bytes, digestOf(bytes));

describe('a registry that wants tokens', () => {
  it('gets one for all requests that need the same, asked for once', async () => {
    await using tokens = await tokenServer({ user });
    await using registry = await fakeRegistry({ guard: tokens.guard });
    await using repository = openRepository(`${registry.host}/a/b`, testOptions({ credentials: user }));
    const many = Array.from({ length: 8 }, (_, index) => randomBytes(1000, index));
    await Promise.all(many.map((each) => repository.blobs.upload(blobSourceOfBytes(each, digestOf(each)))));
    assert.equal(tokens.asked.length, 1);
    const [{ method, words } = assert.fail()] = tokens.asked;
    assert.equal(method, 'GET');
    assert.equal(words.get('x'), '1');
    assert.equal(words.get('service'), 'a test');
    assert.equal(words.get('account'), 'ann');
    assert.ok(words.getAll('scope').includes('repository:a/b:pull,push'));
    await repository.blobs.bytes({ digest: digestOf(many[0] ?? ''), size: 1000 });
    assert.equal(tokens.asked.length, 2, 'reading takes a token for less');
    assert.deepEqual(tokens.asked[1]?.words.getAll('scope'), ['repository:a/b:pull']);
  });

  it('gets another when one expires, in the middle of an upload too', async () => {
    await using tokens = await tokenServer({ user });
    await using registry = await fakeRegistry({ guard: tokens.guard });
    const options = testOptions({ credentials: user, limits: { chunkSize: 20_000 } });
    await using repository = openRepository(`${registry.host}/a/b`, options);
    const onState = (state: UploadState | undefined): void => {
      if (state?.offset === 40_000) tokens.expire();
    };
    const uploaded = await repository.blobs.upload(source, { onState });
    assert.equal(uploaded.by, 'upload');
    assert.ok(uploaded.moved <= 1.2 * bytes.length, `${uploaded.moved}`);
    assert.equal(tokens.asked.length, 2);
    assert.deepEqual(options.waits, []);
  });

  it('is asked for anew before the end that it tells', async (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    await using tokens = await tokenServer({ extra: { expires_in: 300 }, member: 'access_token' });
    await using registry = await fakeRegistry({ guard: tokens.guard });
    await using repository = openRepository(`${registry.host}/a/b`, testOptions());
    await repository.blobs.has(source.digest);
    context.mock.timers.tick(280_000);
    await repository.blobs.has(source.digest);
    assert.equal(tokens.asked.length, 1);
    context.mock.timers.tick(11_000);
    await repository.blobs.has(source.digest);
    assert.equal(tokens.asked.length, 2);
    assert.equal(tokens.asked[1]?.authorization, undefined, 'nobody is known');
  });

  it('takes an identity token by POST, and a registry token as it is', async () => {
    await using tokens = await tokenServer({ refreshToken: 'refresh me' });
    await using registry = await fakeRegistry({ guard: tokens.guard });
    const options = testOptions({ credentials: { identityToken: 'refresh me' } });
    await using repository = openRepository(`${registry.host}/a/b`, options);
    await repository.blobs.upload(source);
    const [{ method, words } = assert.fail()] = tokens.asked;
    assert.equal(method, 'POST');
    assert.equal(words.get('client_id'), 'calve');
    assert.equal(words.get('service'), 'a test');
    assert.match(words.get('scope') ?? '', /^repository:a\/b:pull,push\b/);
    // A token that was given out before is one that a file may hold.
    const ready = testOptions({ credentials: { registryToken: 'token-1' } });
    await using other = openRepository(`${registry.host}/a/b`, ready);
    assert.equal(await other.blobs.has(source.digest), true);
    assert.equal(tokens.asked.length, 1);
  });

  it('refuses who is wrong, and no secret is in the error', async () => {
    await using tokens = await tokenServer({ user });
    await using registry = await fakeRegistry({ guard: tokens.guard });
    const credentials = { username: 'ann', password: 'wrong horse' };
    await using repository = openRepository(`${registry.host}/a/b`, testOptions({ credentials }));
    // The server repeats what it was sent.
    const error = await refused(
      repository.blobs.has(source.digest),
      'denied',
      /asking .* for a token: got status 401 Unauthorized: UNAUTHORIZED: not Basic \*\*\*$/,
    );
    assert.equal(error.hint, `calve login ${registry.host}`);
    assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), /wrong horse|YW5u/);
    await refused(login(registry.host, credentials, testOptions()), 'denied');
    const nobody = openRepository(`${registry.host}/a/b`, testOptions());
    await refused(nobody.blobs.has(source.digest), 'denied');
    await nobody.close();
  });

  it('is asked once more, and not for ever, when it does not take what it gave', async () => {
    await using tokens = await tokenServer();
    const guard: typeof tokens.guard = (request, response) => {
      tokens.expire();
      return tokens.guard(request, response);
    };
    await using registry = await fakeRegistry({ guard });
    await using repository = openRepository(`${registry.host}/a/b`, testOptions());
    await refused(repository.blobs.has(source.digest), 'denied', /status 401/);
    assert.equal(registry.requests.length, 2);
  });

  it('is not sent passwords, nor believed, where it makes no sense', async () => {
    const answers = ['no json', '{}', '{"token":""}', '{"token":"two\\nlines"}'];
    for (const answer of answers) {
      await using tokens = await httpServer(async (_, response) => void response.writeHead(200).end(answer));
      await using registry = await httpServer(async (_, response) => {
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${tokens.url}"` }).end();
      });
      await using repository = openRepository(`${registry.host}/a/b`, testOptions());
      await refused(repository.blobs.has(source.digest), 'invalid', /expected a JSON object with a token/);
    }
    for (const challenge of ['Bearer realm="ftp://x"', 'Bearer service="x"']) {
      await using registry = await httpServer(async (_, response) => {
        response.writeHead(401, { 'www-authenticate': challenge }).end();
      });
      await using repository = openRepository(`${registry.host}/a/b`, testOptions());
      await refused(repository.blobs.has(source.digest), 'invalid', /a realm that is a URL/);
    }
    await using negotiating = await httpServer(async (_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Negotiate' }).end();
    });
    await using repository = openRepository(`${negotiating.host}/a/b`, testOptions());
    await refused(repository.blobs.has(source.digest), 'denied');
  });

  it('has the token server tried again when it is out for a while', async () => {
    await using tokens: TokenServer = await tokenServer({ url: () => flaky.url });
    const faults: Fault[] = [{ answer: { status: 503 } }, { loseAnswer: true }];
    await using flaky = await faultProxy(tokens.url, () => faults.shift());
    await using registry = await fakeRegistry({ guard: tokens.guard });
    const options = testOptions();
    await using repository = openRepository(`${registry.host}/a/b`, options);
    await repository.blobs.has(source.digest);
    assert.equal(options.waits.length, 1, 'that a kept connection is closed is no failure');
    assert.equal(tokens.asked.length, 2);
  });

  it('knows people from the files of podman and docker', async () => {
    await using tokens = await tokenServer({ user });
    await using registry = await fakeRegistry({ guard: tokens.guard });
    const file = folder.join('home/.docker/config.json');
    await mkdir(dirname(file), { recursive: true });
    const auth = Buffer.from(`${user.username}:${user.password}`).toString('base64');
    await writeFile(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
    await using repository = openRepository(
      `${registry.host}/a/b`,
      testOptions({ env: { HOME: folder.join('home') } }),
    );
    await repository.blobs.has(source.digest);
    assert.equal(tokens.asked.length, 1);
  });
});
