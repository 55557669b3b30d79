import {
  array,
  boolean,
  type GenericSchema,
  integer,
  isoTimestamp,
  literal,
  minValue,
  nullable,
  number,
  optional,
  picklist,
  pipe,
  record,
  regex,
  strictObject,
  string,
  union,
  unknown,
  variant,
} from 'valibot';

/** The JSON that the command line prints, strictly: a field more or less than docs/json.md says is a failure. */

const digest = pipe(string(), regex(/^sha256:[0-9a-f]{64}$/));
const time = pipe(string(), isoTimestamp());
const count = pipe(number(), integer(), minValue(0));
const bytes = count;
const ref = pipe(string(), regex(/^[a-z0-9._/-]+:[\w.-]+$/));
const env = pipe(string(), regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/));

const version = {
  digest,
  message: string(),
  author: string(),
  created: time,
  parents: array(digest),
  size: bytes,
  layers: array(strictObject({ digest, size: bytes })),
  refs: array(ref),
  machine: record(string(), unknown()),
  made: strictObject({ command: string(), from: optional(string()) }),
};

const environment = {
  name: env,
  version: digest,
  ref: nullable(ref),
  created: time,
  changedBytes: bytes,
  state: picklist(['idle', 'in-use']),
  holders: array(strictObject({ pid: count, command: string(), access: picklist(['read', 'write']) })),
};

const layerSummary = strictObject({
  digest,
  fileSize: bytes,
  dataClusters: count,
  zeroClusters: count,
  sharedClusters: count,
  equalClusters: count,
  equalDataClusters: count,
});

const space = {
  name: string(),
  version: digest,
  created: time,
  virtualSize: bytes,
  apparentBytes: bytes,
  ownBytes: bytes,
  sharedBytes: bytes,
};

const nanoseconds = pipe(string(), regex(/^-?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/));
const base64 = pipe(string(), regex(/^[A-Za-z0-9+/]*={0,2}$/));

const guestType = picklist([
  'file',
  'directory',
  'symlink',
  'character-device',
  'block-device',
  'fifo',
  'socket',
  'unknown',
]);

const guestFile = strictObject({
  path: string(),
  pathBase64: optional(base64),
  inode: count,
  type: guestType,
  mode: count,
  uid: count,
  gid: count,
  size: bytes,
  allocated: bytes,
  links: count,
  atime: nanoseconds,
  mtime: nanoseconds,
  ctime: nanoseconds,
  crtime: nullable(nanoseconds),
  device: nullable(strictObject({ major: count, minor: count })),
  target: nullable(string()),
  targetBase64: optional(base64),
  acl: nullable(string()),
  defaultAcl: nullable(string()),
  attributes: array(strictObject({ name: string(), nameBase64: optional(base64), value: base64 })),
});

const fileFacts = strictObject({
  inode: count,
  type: guestType,
  mode: count,
  uid: count,
  gid: count,
  size: bytes,
  mtime: nanoseconds,
});

const fileChange = strictObject({
  kind: picklist(['added', 'modified', 'deleted', 'renamed']),
  partition: count,
  logicalVolume: nullable(string()),
  path: string(),
  pathBase64: optional(base64),
  oldPath: nullable(string()),
  oldPathBase64: optional(base64),
  aspects: array(picklist(['type', 'content', 'mode', 'owner', 'time', 'attributes'])),
  before: nullable(fileFacts),
  after: nullable(fileFacts),
});

const partitionChange = strictObject({
  kind: picklist(['added', 'modified', 'deleted']),
  partition: nullable(count),
  logicalVolume: nullable(string()),
  holds: nullable(string()),
  label: nullable(string()),
  bytes,
});

const difference = strictObject({
  offset: bytes,
  length: bytes,
  kind: picklist(['added', 'changed', 'removed']),
});

const standing = strictObject({
  versions: array(digest),
  refs: array(ref),
  envs: array(env),
  trash: array(string()),
});

const trashed = strictObject({
  id: string(),
  name: env,
  removed: time,
  expires: time,
  version: digest,
  ref: nullable(ref),
  changedBytes: bytes,
});

const layerCount = strictObject({ layers: count, bytes });

const setting = union([string(), count, boolean()]);

const problemKinds = [
  'blob-changed',
  'blob-missing',
  'blob-unreadable',
  'blob-misnamed',
  'blob-writable',
  'document-broken',
  'layer-broken',
  'layer-parent',
  'layer-in-use',
  'layer-mutable',
  'ref-broken',
  'env-broken',
  'env-leaks',
  'trash-broken',
  'log-broken',
  'journal-broken',
  'stray',
] as const;

/** By the heading of docs/json.md that documents it. */
export const shapes: Readonly<Record<string, GenericSchema>> = {
  import: strictObject({
    version: strictObject(version),
    ref: nullable(ref),
    summary: layerSummary,
    nearest: nullable(
      strictObject({
        version: nullable(digest),
        ref: nullable(ref),
        compared: count,
        sampled: count,
        equal: count,
      }),
    ),
    earlier: array(strictObject({ version: strictObject(version), summary: nullable(layerSummary) })),
    warnings: array(string()),
  }),
  adopt: strictObject({
    folder: string(),
    dryRun: boolean(),
    images: array(
      strictObject({
        file: string(),
        base: nullable(string()),
        becomes: picklist(['version', 'env']),
        state: picklist(['adopted', 'known', 'planned', 'refused']),
        version: nullable(digest),
        ref: nullable(ref),
        env: nullable(env),
        storedBytes: bytes,
        error: nullable(strictObject({ code: string(), message: string(), hint: nullable(string()) })),
        warnings: array(string()),
      }),
    ),
    warnings: array(string()),
  }),
  new: array(strictObject(environment)),
  ls: array(strictObject(environment)),
  status: strictObject({
    ...environment,
    refMoved: boolean(),
    changedClusters: nullable(count),
    clusterSize: nullable(bytes),
    files: nullable(
      strictObject({
        count,
        bytes,
        added: count,
        modified: count,
        deleted: count,
        renamed: count,
        largest: array(fileChange),
        partitions: array(partitionChange),
      }),
    ),
  }),
  commit: strictObject({
    version: strictObject(version),
    ref: nullable(ref),
    summary: layerSummary,
    changed: strictObject({ dataClusters: count, zeroClusters: count }),
    mergedLayers: count,
  }),
  images: array(strictObject({ ...space, protected: boolean() })),
  log: array(strictObject(version)),
  'log --refs': array(
    strictObject({
      id: string(),
      time,
      ref,
      from: nullable(digest),
      to: nullable(digest),
      command: string(),
      expression: string(),
    }),
  ),
  show: variant('kind', [
    strictObject({ kind: literal('version'), ...version, protectedRefs: array(ref), path: string() }),
    strictObject({ kind: literal('env'), ...environment, path: string() }),
  ]),
  diff: strictObject({
    a: string(),
    b: nullable(string()),
    files: optional(array(fileChange)),
    partitions: array(partitionChange),
    added: count,
    modified: count,
    deleted: count,
    renamed: count,
    addedBytes: bytes,
    modifiedBytes: bytes,
    deletedBytes: bytes,
  }),
  'diff --blocks': strictObject({
    a: string(),
    b: nullable(string()),
    count,
    added: bytes,
    changed: bytes,
    removed: bytes,
    ranges: optional(array(difference)),
  }),
  files: strictObject({
    name: string(),
    path: string(),
    partition: count,
    logicalVolume: nullable(string()),
    kind: picklist(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs']),
    files: array(guestFile),
  }),
  df: strictObject({
    refs: array(strictObject({ ...space, protected: boolean() })),
    envs: array(strictObject({ ...space, ref: nullable(ref) })),
    totals: strictObject({
      layers: bytes,
      manifests: bytes,
      envs: bytes,
      trash: bytes,
      other: bytes,
      total: bytes,
    }),
  }),
  'trash ls': array(trashed),
  gc: strictObject({
    dryRun: boolean(),
    blobs: array(
      strictObject({
        digest,
        kind: picklist(['manifest', 'config', 'layer', 'other']),
        bytes,
        since: time,
        why: string(),
      }),
    ),
    trash: array(trashed),
    harmed: array(string()),
    partial: array(string()),
    kept: optional(array(strictObject({ digest, by: string() }))),
    freedBytes: bytes,
  }),
  nbd: strictObject({ pid: count, uris: array(pipe(string(), regex(/^nbds?(\+unix)?:\/\//))) }),
  'nbd --list': array(strictObject({ name: string(), description: string(), size: nullable(bytes) })),
  config: array(strictObject({ key: string(), value: setting, default: setting, set: boolean() })),
  push: strictObject({
    remote: string(),
    version: digest,
    previous: nullable(digest),
    moved: boolean(),
    versions: count,
    ...{ sent: layerCount, there: layerCount, mounted: layerCount },
    transferredBytes: bytes,
  }),
  pull: strictObject({
    remote: string(),
    ref: nullable(ref),
    version: strictObject(version),
    previous: nullable(digest),
    moved: boolean(),
    versions: count,
    ...{ fetched: layerCount, there: layerCount },
    transferredBytes: bytes,
    promisedLayers: count,
  }),
  'remote ls': union([
    array(
      strictObject({
        ...{
          name: string(),
          version: nullable(digest),
          created: nullable(time),
          message: nullable(string()),
        },
        ...{ virtualSize: nullable(bytes), layerBytes: nullable(bytes), versions: nullable(count) },
      }),
    ),
    array(
      strictObject({
        ...{ id: string(), time, command: picklist(['push', 'pull']), remote: string(), ref: nullable(ref) },
        ...{ from: nullable(digest), to: digest },
      }),
    ),
  ]),
  fsck: strictObject({
    problems: array(
      strictObject({
        ...{ kind: picklist(problemKinds), where: string(), message: string(), standing },
        ...{ hint: string(), needs: nullable(digest) },
      }),
    ),
    mended: array(strictObject({ kind: picklist(problemKinds), where: string(), message: string() })),
    skipped: array(strictObject({ where: string(), message: string() })),
    checked: strictObject({
      blobs: count,
      bytes,
      versions: count,
      layers: count,
      refs: count,
      envs: count,
      trash: count,
    }),
  }),
};
