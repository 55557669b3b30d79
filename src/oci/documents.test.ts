import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CalveError } from '../errors/index.ts';
import { digestOf } from './digest.ts';
import { imageIndexSchema } from './image-index.ts';
import { IMAGE_LAYOUT, imageLayoutSchema } from './image-layout.ts';
import { descriptorsIn, manifestSchema } from './manifest.ts';
import { MEDIA_TYPE_MANIFEST } from './media-types.ts';
import { parseDocument } from './parse-document.ts';

const digest = digestOf('x');
const descriptor = { mediaType: 'application/x', digest, size: 1 };
const manifest = {
  schemaVersion: 2,
  mediaType: MEDIA_TYPE_MANIFEST,
  config: descriptor,
  layers: [descriptor],
};

function refused(text: string, pattern: RegExp): void {
  assert.throws(
    () => parseDocument(text, manifestSchema, '/store/blob'),
    (error) => CalveError.is(error, 'corrupt') && pattern.test(error.message),
  );
}

test('a broken document is refused with its name, the field, and what was expected', () => {
  refused('{', /^\/store\/blob: expected JSON/);
  refused('[]', /^\/store\/blob: /);
  refused(JSON.stringify({ ...manifest, schemaVersion: 1 }), /schemaVersion: .*Expected 2 but received 1/);
  refused(JSON.stringify({ ...manifest, layers: [{ ...descriptor, size: -1 }] }), /layers\.0\.size: /);
  refused(JSON.stringify({ ...manifest, layers: [{ ...descriptor, size: 1.5 }] }), /layers\.0\.size: /);
  refused(JSON.stringify({ ...manifest, config: { ...descriptor, digest: 'sha256:1' } }), /config\.digest: /);
  refused(JSON.stringify({ ...manifest, config: undefined }), /config: /);
});

test('fields that no schema names are kept', () => {
  const odd = { ...manifest, future: 1, config: { ...descriptor, urls: ['https://example.org'] } };
  assert.deepEqual(parseDocument(JSON.stringify(odd), manifestSchema, 'manifest'), odd);
  const index = { schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: 'linux' } }], extra: true };
  assert.deepEqual(parseDocument(JSON.stringify(index), imageIndexSchema, 'index'), index);
});

test('a layout of another version is refused', () => {
  assert.equal(parseDocument(IMAGE_LAYOUT, imageLayoutSchema, 'oci-layout').imageLayoutVersion, '1.0.0');
  assert.throws(
    () => parseDocument('{"imageLayoutVersion":"2.0.0"}', imageLayoutSchema, 'oci-layout'),
    (error) => CalveError.is(error, 'corrupt') && /imageLayoutVersion/.test(error.message),
  );
});

test('what any manifest or index names is found, and a document of another kind names nothing', () => {
  assert.deepEqual(descriptorsIn(manifest), [descriptor, descriptor]);
  assert.deepEqual(descriptorsIn({ schemaVersion: 2, manifests: [descriptor] }), [descriptor]);
  assert.deepEqual(descriptorsIn({ layers: 'none' }), []);
  assert.deepEqual(descriptorsIn(null), []);
});
