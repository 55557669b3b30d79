import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, digestOf } from '../oci/index.ts';
import { blobOwners, SHARED } from './usage.ts';
import { encodeVersion, type VersionDocument } from './version-document.ts';

const layer = (name: string) => ({ digest: digestOf(name), size: 1 });

function version(name: string, layers: string[], parents: VersionDocument[] = []): VersionDocument {
  const config = {
    message: name,
    author: 'a',
    created: '2026-01-01T00:00:00Z',
    parents: parents.map((parent) => parent.digest),
    size: 512,
    machine: {},
    made: { command: 'import' },
  };
  return encodeVersion(config, layers.map(layer)).document;
}

function storeOf(...versions: VersionDocument[]): Map<Digest, VersionDocument> {
  return new Map(versions.map((each) => [each.digest, each]));
}

test('what one ref alone leads to is its own, its ancestors too; the rest is shared', () => {
  const base = version('base', ['base']);
  const left = version('left', ['base', 'left'], [base]);
  const right = version('right', ['base', 'right'], [base]);
  const top = version('top', ['base', 'right', 'top'], [right]);
  const owners = blobOwners(storeOf(base, left, right, top), [
    { label: 'l', version: left.digest },
    { label: 't', version: top.digest },
  ]);
  assert.equal(owners.get(digestOf('base')), SHARED);
  assert.equal(owners.get(base.digest), SHARED);
  assert.equal(owners.get(digestOf('left')), 'l');
  assert.equal(owners.get(digestOf('right')), 't');
  assert.equal(owners.get(right.configDigest), 't');
});

test('a ref on an ancestor of another ref, and two refs on one version, own nothing', () => {
  const base = version('base', ['base']);
  const top = version('top', ['base', 'top'], [base]);
  const owners = blobOwners(storeOf(base, top), [
    { label: 'a', version: base.digest },
    { label: 'b', version: top.digest },
    { label: 'c', version: top.digest },
  ]);
  assert.equal(owners.get(digestOf('base')), SHARED);
  assert.equal(owners.get(digestOf('top')), SHARED);
});

test('a version that nothing needs has no owner, but what it shares with others keeps theirs', () => {
  const kept = version('kept', ['base', 'kept']);
  const lost = version('lost', ['base', 'lost']);
  const owners = blobOwners(storeOf(kept, lost), [{ label: 'k', version: kept.digest }]);
  assert.equal(owners.get(digestOf('lost')), undefined);
  assert.equal(owners.get(digestOf('base')), 'k');
});

test('a version whose parent is reached by two ways is counted when both are known', () => {
  const root = version('root', ['r']);
  const one = version('one', ['r', '1'], [root]);
  const two = version('two', ['r', '1', '2'], [one, root]);
  const owners = blobOwners(storeOf(root, one, two), [
    { label: 'x', version: two.digest },
    { label: 'y', version: one.digest },
  ]);
  assert.equal(owners.get(root.digest), SHARED);
  assert.equal(owners.get(digestOf('2')), 'x');
});
