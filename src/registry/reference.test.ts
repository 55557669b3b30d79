import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { formatReference, parseReference, parseRegistryHost } from './reference.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;

test('a reference has a host, a repository, and perhaps a tag and a digest', () => {
  const cases = {
    'ghcr.io/team/debian:12': { host: 'ghcr.io', repository: 'team/debian', tag: '12' },
    'localhost/x': { host: 'localhost', repository: 'x' },
    'localhost:5000/a/b/c': { host: 'localhost:5000', repository: 'a/b/c' },
    'build:5000/x': { host: 'build:5000', repository: 'x' },
    '[::1]:5000/x:y': { host: '[::1]:5000', repository: 'x', tag: 'y' },
    '10.0.0.1/a__b.c-d/e:V_1.2-x': { host: '10.0.0.1', repository: 'a__b.c-d/e', tag: 'V_1.2-x' },
    [`r.example/x@${digest}`]: { host: 'r.example', repository: 'x', digest },
    [`r.example/x:1@${digest}`]: { host: 'r.example', repository: 'x', tag: '1', digest },
    'docker.io/team/x': { host: 'docker.io', repository: 'team/x' },
  };
  for (const [text, parts] of Object.entries(cases)) {
    assert.deepEqual(parseReference(text), parts, text);
    assert.equal(formatReference(parseReference(text)), text);
  }
  assert.equal(parseReference('GHCR.io/x').host, 'ghcr.io');
  assert.equal(formatReference(parseReference('docker.io/debian:12')), 'docker.io/library/debian:12');
  assert.equal(parseRegistryHost('Registry.Example:443'), 'registry.example:443');
});

test('what is no reference is refused by the part that is wrong', () => {
  const cases: Record<string, RegExp> = {
    'debian:12': /expected HOST\/REPOSITORY/,
    'team/debian': /a registry's host with a dot or a port, or localhost, not 'team'/,
    'https://ghcr.io/x': /a registry's host/,
    'ghcr.io/': /a repository/,
    'ghcr.io/Team/x': /a repository of lower-case/,
    'ghcr.io/a//b': /a repository/,
    'ghcr.io/../x': /a repository/,
    'ghcr.io/x:': /a tag/,
    'ghcr.io/x:-': /a tag/,
    'ghcr.io/x:a:b': /a tag/,
    [`ghcr.io/x:${'a'.repeat(129)}`]: /a tag/,
    'ghcr.io/x@sha256:1': /a digest/,
    'ghcr.io/x@1': /a digest/,
    [`ghcr.io/x@${digest}@${digest}`]: /one digest/,
    'ghcr.io:0/x': /a port/,
    'ghcr.io:65536/x': /a port/,
    'user@ghcr.io/x': /a registry's host/,
    'ghcr.io?x/y': /a registry's host/,
    '1.2.3.4.5/x': /a registry's host/,
    [`ghcr.io/${'a'.repeat(250)}`]: /at most 255 characters/,
    '': /expected HOST/,
  };
  for (const [text, pattern] of Object.entries(cases)) {
    assert.throws(
      () => parseReference(text),
      (error) => CalveError.is(error, 'usage') && pattern.test(error.message),
      text,
    );
  }
  assert.throws(
    () => parseReference(`ghcr.io/x@sha512:${'a'.repeat(128)}`),
    (error) => CalveError.is(error, 'unsupported'),
  );
  assert.throws(
    () => parseRegistryHost('team'),
    (error) => CalveError.is(error, 'usage'),
  );
});
