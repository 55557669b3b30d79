import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bodyOf, httpServer, type TestServer } from './http-server.ts';

/** How a registry differs from others. */
export interface FakeRegistryOptions {
  /** Decides of each request to `/v2/` whether it is let in; answers it when not. */
  readonly guard?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Takes a blob in one request alone, and refuses pieces with this status. */
  readonly refusesPiecesBy?: number;
  readonly smallestChunk?: number;
  /** Does not keep what came of a piece whose connection broke, as some do not. */
  readonly forgetsParts?: boolean;
  /** Locations without a host. */
  readonly relative?: boolean;
  /** Tags that a page of their list has. */
  readonly page?: number;
  readonly hasReferrers?: boolean;
  /** Repositories whose blobs may not be mounted: asking is refused by 403. */
  readonly closed?: readonly string[];
}

export interface FakeRegistry extends TestServer {
  /** By repository and digest. */
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { readonly bytes: Buffer; readonly type: string }>;
  readonly uploads: Map<string, Buffer>;
  /** Method, path and query, Content-Range and Range of each request. */
  readonly requests: string[];
}

/**
 * A registry in memory that keeps to distribution-spec 1.1 as far as a client can see, and keeps what came of a piece when
 * its connection breaks, which Debian's docker-registry does not.
 */
export async function fakeRegistry(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests: FakeRegistry['manifests'] = new Map();
  const uploads: FakeRegistry['uploads'] = new Map();
  const requests: string[] = [];

  const server = await httpServer(async (request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    const method = request.method ?? '';
    const range = request.headers['content-range'] ?? request.headers.range;
    requests.push(`${method} ${url.pathname}${url.search}${range === undefined ? '' : ` ${String(range)}`}`);
    if (options.guard && !options.guard(request, response)) return;
    const answer = (status: number, headers: Record<string, string> = {}, body: Buffer | string = '') => {
      response.writeHead(status, { 'content-length': String(Buffer.byteLength(body)), ...headers });
      response.end(method === 'HEAD' ? undefined : body);
    };
    const refuse = (status: number, code: string) =>
      answer(
        status,
        { 'content-type': 'application/json' },
        JSON.stringify({ errors: [{ code, message: 'no' }] }),
      );
    const place = (path: string) =>
      options.relative === true ? path : `http://${request.headers.host}${path}`;

    const upload = /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/.exec(url.pathname);
    if (upload) {
      const [, repository = '', id = ''] = upload;
      if (id === '') return await begin(repository);
      return await goOn(repository, id);
    }
    const blob = /^\/v2\/(.+)\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url.pathname);
    if (blob) return await giveBlob(`${blob[1]}@${blob[2]}`);
    const manifest = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url.pathname);
    if (manifest) return await useManifest(manifest[1] ?? '', manifest[2] ?? '');
    const tags = /^\/v2\/(.+)\/tags\/list$/.exec(url.pathname);
    if (tags) return listTags(tags[1] ?? '');
    const referrers = /^\/v2\/(.+)\/referrers\/(.+)$/.exec(url.pathname);
    if (referrers && options.hasReferrers === true) {
      const index = manifests.get(`${referrers[1]}:referrers`);
      return answer(200, { 'content-type': 'application/vnd.oci.image.index.v1+json' }, index?.bytes ?? '');
    }
    if (url.pathname === '/v2/') return answer(200);
    return refuse(404, 'NOT_FOUND');

    async function begin(repository: string): Promise<void> {
      await bodyOf(request);
      const [digest, from] = [url.searchParams.get('mount'), url.searchParams.get('from')];
      if (from !== null && options.closed?.includes(from)) return refuse(403, 'DENIED');
      const mounted = digest !== null && blobs.get(`${from}@${digest}`);
      if (mounted) {
        blobs.set(`${repository}@${digest}`, mounted);
        return answer(201, { location: place(`/v2/${repository}/blobs/${digest}`) });
      }
      const id = randomUUID();
      uploads.set(id, Buffer.alloc(0));
      const least = options.smallestChunk;
      answer(202, {
        // With a query that must be kept as it is.
        location: place(`/v2/${repository}/blobs/uploads/${id}?state=a%2Fb+c`),
        ...(least !== undefined && { 'oci-chunk-min-length': String(least) }),
      });
    }

    async function goOn(repository: string, id: string): Promise<void> {
      const before = uploads.get(id);
      if (!before) return refuse(404, 'BLOB_UPLOAD_UNKNOWN');
      if (!url.search.startsWith('?state=a%2Fb+c')) return refuse(400, 'BLOB_UPLOAD_INVALID');
      const told = (bytes: Buffer) => ({
        location: place(`${url.pathname}?state=a%2Fb+c`),
        range: `0-${Math.max(0, bytes.length - 1)}`,
      });
      if (method === 'GET') return answer(204, told(before));
      if (method === 'DELETE') {
        uploads.delete(id);
        return answer(204);
      }
      const pieces: Buffer[] = [before];
      if (method === 'PATCH') {
        if (options.refusesPiecesBy !== undefined) return refuse(options.refusesPiecesBy, 'UNSUPPORTED');
        const [first] = String(range).split('-').map(Number);
        if (first !== before.length) return refuse(416, 'BLOB_UPLOAD_INVALID');
      }
      try {
        for await (const piece of request) {
          pieces.push(piece);
          if (options.forgetsParts !== true) uploads.set(id, Buffer.concat(pieces));
        }
      } catch {
        return;
      }
      const bytes = Buffer.concat(pieces);
      uploads.set(id, bytes);
      if (method === 'PATCH') {
        const isLast = bytes.length - before.length < (options.smallestChunk ?? 0);
        if (isLast) requests.push('(a small piece)');
        return answer(202, told(bytes));
      }
      const digest = url.searchParams.get('digest') ?? '';
      if (`sha256:${createHash('sha256').update(bytes).digest('hex')}` !== digest) {
        return refuse(400, 'DIGEST_INVALID');
      }
      uploads.delete(id);
      blobs.set(`${repository}@${digest}`, bytes);
      answer(201, { location: place(`/v2/${repository}/blobs/${digest}`), 'docker-content-digest': digest });
    }

    async function giveBlob(name: string): Promise<void> {
      const bytes = blobs.get(name);
      if (!bytes) return refuse(404, 'BLOB_UNKNOWN');
      if (method === 'DELETE') {
        blobs.delete(name);
        return answer(202);
      }
      const asked = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
      if (!asked) return answer(200, { 'content-length': String(bytes.length) }, bytes);
      const [first, last] = [Number(asked[1]), Math.min(Number(asked[2]), bytes.length - 1)];
      const part = bytes.subarray(first, last + 1);
      answer(206, { 'content-range': `bytes ${first}-${last}/${bytes.length}` }, part);
    }

    async function useManifest(repository: string, reference: string): Promise<void> {
      if (method === 'PUT') {
        const bytes = await bodyOf(request);
        const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
        const kept = { bytes, type: String(request.headers['content-type']) };
        manifests.set(`${repository}:${reference}`, kept).set(`${repository}:${digest}`, kept);
        return answer(201, { 'docker-content-digest': digest });
      }
      const found = manifests.get(`${repository}:${reference}`);
      if (!found) return refuse(404, 'MANIFEST_UNKNOWN');
      const digest = `sha256:${createHash('sha256').update(found.bytes).digest('hex')}`;
      answer(
        200,
        {
          'content-type': found.type,
          'content-length': String(found.bytes.length),
          'docker-content-digest': digest,
        },
        found.bytes,
      );
    }

    function listTags(repository: string): void {
      const all = [...manifests.keys()]
        .filter((name) => name.startsWith(`${repository}:`) && !name.includes('sha256:'))
        .map((name) => name.slice(repository.length + 1))
        .sort();
      const last = url.searchParams.get('last');
      const rest = last === null ? all : all.filter((tag) => tag > last);
      const page = rest.slice(0, options.page ?? 1000);
      const more = page.length < rest.length;
      const next = `/v2/${repository}/tags/list?n=${page.length}&last=${page.at(-1) ?? ''}`;
      answer(
        200,
        more ? { link: `<${next}>; rel="next"` } : {},
        JSON.stringify({ name: repository, tags: page }),
      );
    }
  });
  return Object.assign(server, { blobs, manifests, uploads, requests });
}
