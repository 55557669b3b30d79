// The arrows of the house: a folder imports only from folders above it, and only their index.ts.
const order = ['errors', 'bytes', 'host', 'disk', 'qcow2', 'img', 'guestfs', 'oci', 'store', 'cli'];

export default {
  forbidden: [
    ...order.slice(0, -1).map((folder, at) => ({
      name: `${folder}-imports-from-below`,
      comment: 'a folder imports only from folders above it',
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: '\\.test\\.ts$' },
      to: { path: `^src/(${order.slice(at + 1).join('|')})/` },
    })),
    {
      name: 'past-the-front-door',
      comment: 'outside a folder only its index.ts is imported',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/([^/]+)/', pathNot: ['^src/$1/', '^src/[^/]+/index\\.ts$'] },
    },
    {
      name: 'unknown-room',
      comment: 'every folder of src stands in the order',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${order.join('|')})/` },
      to: {},
    },
    { name: 'no-circular', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    {
      name: 'koffi-outside-host',
      comment: 'foreign function calls stay in src/host',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/host/' },
      to: { path: 'node_modules/koffi' },
    },
  ],
  options: { tsPreCompilationDeps: true, parser: 'swc', doNotFollow: { path: 'node_modules' } },
};
