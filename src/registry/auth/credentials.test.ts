import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { findCredentials } from './find-credentials.ts';
import { forgetCredentials, storeCredentials } from './store-credentials.ts';

const folder = await temporaryFolder();
after(() => folder[Symbol.asyncDispose]());
const kept = folder.join('kept');
const env: NodeJS.ProcessEnv = {
  HOME: folder.join('home'),
  XDG_RUNTIME_DIR: folder.join('run'),
  PATH: `${folder.join('bin')}:/usr/bin:/bin`,
  KEPT: kept,
};
const docker = folder.join('home/.docker/config.json');
const ann = { username: 'ann', password: 'a:b ü' };
const auth = Buffer.from('ann:a:b ü').toString('base64');

async function write(path: string, document: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof document === 'string' ? document : JSON.stringify(document));
}

before(async () => {
  // A helper that keeps one registry's credentials in a file, and says what docker's helpers say when it has none.
  await write(
    folder.join('bin/docker-credential-test'),
    `#!/bin/sh
case "$1" in
store) cat >"$KEPT" ;;
erase) cat >/dev/null; rm -f "$KEPT" ;;
get)
  read -r key || true
  case "$key" in
  token.example) echo '{"ServerURL":"x","Username":"<token>","Secret":"refresh"}' ;;
  broken.example) echo 'secret words'; exit 1 ;;
  odd.example) echo '[]' ;;
  *) if [ -f "$KEPT" ]; then cat "$KEPT"; else echo 'credentials not found in native keychain'; exit 1; fi ;;
  esac ;;
esac
`,
  );
  await chmod(folder.join('bin/docker-credential-test'), 0o755);
});

describe('credentials', () => {
  it("are found in podman's file before docker's, the closest name first", async () => {
    await write(docker, { auths: { 'r.example': { auth }, 'https://index.docker.io/v1/': { auth } } });
    assert.deepEqual(await findCredentials('r.example', 'a/b', { env }), ann);
    assert.deepEqual(await findCredentials('docker.io', 'library/x', { env }), ann);
    assert.equal(await findCredentials('other.example', 'a/b', { env }), undefined);
    await write(folder.join('run/containers/auth.json'), {
      auths: {
        'r.example': { username: 'bob', password: 'x' },
        'r.example/a': { identitytoken: 'refresh' },
        'https://old.example/v1/': { auth },
        'r.example/given': { registrytoken: 'token' },
        'empty.example': {},
      },
    });
    assert.deepEqual(await findCredentials('r.example', 'a/b', { env }), { identityToken: 'refresh' });
    assert.deepEqual(await findCredentials('r.example', 'ab', { env }), { username: 'bob', password: 'x' });
    assert.deepEqual(await findCredentials('r.example', 'given', { env }), { registryToken: 'token' });
    assert.deepEqual(await findCredentials('old.example', undefined, { env }), ann);
    assert.equal(await findCredentials('empty.example', undefined, { env }), undefined);
  });

  it('are looked for in the file that is named alone', async () => {
    const authFile = folder.join('named.json');
    assert.equal(await findCredentials('r.example', undefined, { env, authFile }), undefined);
    await write(authFile, { auths: { 'n.example': { auth } } });
    assert.deepEqual(await findCredentials('n.example', undefined, { env, authFile }), ann);
    const named = { ...env, REGISTRY_AUTH_FILE: authFile };
    assert.deepEqual(await findCredentials('n.example', undefined, { env: named }), ann);
    assert.equal(await findCredentials('r.example', undefined, { env: named }), undefined);
    const elsewhere = { ...env, DOCKER_CONFIG: folder.join('elsewhere'), XDG_RUNTIME_DIR: undefined };
    await write(folder.join('elsewhere/config.json'), { auths: { 'e.example': { auth } } });
    assert.deepEqual(await findCredentials('e.example', undefined, { env: elsewhere }), ann);
  });

  it('in a broken file are an error that does not quote it', async () => {
    const authFile = folder.join('broken.json');
    for (const text of [
      '{"auths": {"r.example": {"auth": "c2VjcmV0" "x',
      '{"auths":{"r.example":{"auth":7}}}',
    ]) {
      await write(authFile, text);
      const error = await refused(
        findCredentials('r.example', undefined, { env, authFile }),
        'corrupt',
        /broken\.json/,
      );
      assert.doesNotMatch(`${error.message}${String(error.cause)}`, /c2VjcmV0/);
    }
    await write(authFile, { auths: { 'r.example': { auth: 'bm8gY29sb24=' } } });
    await refused(
      findCredentials('r.example', undefined, { env, authFile }),
      'corrupt',
      /base64 of user:password/,
    );
    await write(authFile, '');
    assert.equal(await findCredentials('r.example', undefined, { env, authFile }), undefined);
  });

  it('come from helpers: of a registry before the file, of all others after it', async () => {
    const authFile = folder.join('helped.json');
    const places = { env, authFile };
    await write(authFile, {
      auths: { 'token.example': { auth }, 'own.example': { auth } },
      credHelpers: { 'token.example': 'test', 'missing.example': 'nowhere', 'evil.example': '../../bin/sh' },
      credsStore: 'test',
    });
    assert.deepEqual(await findCredentials('token.example', undefined, places), { identityToken: 'refresh' });
    assert.deepEqual(await findCredentials('own.example', undefined, places), ann);
    assert.equal(await findCredentials('other.example', undefined, places), undefined);
    const failed = await refused(
      findCredentials('broken.example', undefined, places),
      'io',
      /test get: exit 1/,
    );
    assert.doesNotMatch(failed.message, /secret/);
    await refused(
      findCredentials('odd.example', undefined, places),
      'invalid',
      /a JSON object with Username/,
    );
    const missing = await refused(
      findCredentials('missing.example', undefined, places),
      'not-found',
      /nowhere/,
    );
    assert.match(missing.hint ?? '', /install docker-credential-nowhere/);
    await refused(
      findCredentials('evil.example', undefined, places),
      'invalid',
      /the name of a credential helper/,
    );
  });

  it('are stored in the file, which nobody else reads and whose other content stays', async () => {
    const file = folder.join('dotfiles/config.json');
    await write(file, {
      psFormat: 'x',
      auths: { 'o.example': { auth: 'x', email: 'y' } },
      currentContext: 'z',
    });
    await mkdir(folder.join('linked'));
    await symlink(file, folder.join('linked/config.json'));
    const places = { env: { ...env, DOCKER_CONFIG: folder.join('linked') } };
    assert.deepEqual(await storeCredentials('s.example:5000', ann, places), { file });
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), {
      psFormat: 'x',
      auths: { 'o.example': { auth: 'x', email: 'y' }, 's.example:5000': { auth } },
      currentContext: 'z',
    });
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await findCredentials('s.example:5000', 'x', { ...places, authFile: file }), ann);
    assert.deepEqual(await forgetCredentials('s.example:5000', places), { file });
    assert.equal(await forgetCredentials('s.example:5000', places), undefined);
    const { auths } = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual(auths, { 'o.example': { auth: 'x', email: 'y' } });

    const broken = { ...places, authFile: folder.join('no-json') };
    await write(broken.authFile, '{');
    await refused(storeCredentials('s.example', ann, broken), 'corrupt');
    assert.equal(await readFile(broken.authFile, 'utf8'), '{');
    assert.equal(
      await forgetCredentials('s.example', { env, authFile: folder.join('not-there') }),
      undefined,
    );
  });

  it('are stored with the helper that the file names', async () => {
    const authFile = folder.join('store.json');
    await write(authFile, { credsStore: 'test' });
    const helper = 'docker-credential-test';
    assert.deepEqual(await storeCredentials('docker.io', ann, { env, authFile }), { file: authFile, helper });
    assert.deepEqual(JSON.parse(await readFile(kept, 'utf8')), {
      ServerURL: 'https://index.docker.io/v1/',
      Username: 'ann',
      Secret: 'a:b ü',
    });
    assert.doesNotMatch(await readFile(authFile, 'utf8'), new RegExp(auth));
    assert.deepEqual(await findCredentials('docker.io', 'library/x', { env, authFile }), ann);
    assert.deepEqual(await forgetCredentials('docker.io', { env, authFile }), { file: authFile, helper });
    assert.equal(await findCredentials('docker.io', 'library/x', { env, authFile }), undefined);
    assert.equal(await forgetCredentials('docker.io', { env, authFile }), undefined);
  });
});
