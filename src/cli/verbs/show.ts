import { formatBytes } from '../../bytes/index.ts';
import type { EnvInfo, VersionInfo } from '../../store/index.ts';
import { formatAge } from '../age.ts';
import { count } from '../count.ts';
import { envJson } from '../env-json.ts';
import { printable } from '../printable.ts';
import { formatState } from '../state.ts';
import { resolveTarget } from '../target.ts';
import type { Verb } from '../verb.ts';

type Field = readonly [name: string, value: string];

/** `calve show REF|ENV`, `calve inspect …` */
export const show: Verb = {
  examples: [
    { line: 'calve show debian:12', does: 'parents, author, layers and message of a version' },
    { line: 'calve show --json quiet-otter', does: 'an environment, for programs' },
  ],
  declare: (command, session) => {
    command
      .argument('<env|ref>', 'an environment or a version')
      .option('--json', 'print JSON (docs/json.md)')
      .action(async (name: string, options: { json?: boolean }) => {
        const { output } = session;
        const store = await session.openStore();
        const target = await resolveTarget(session, store, name);
        if (target.kind === 'env') {
          const env = await store.envs.get(target.name);
          const path = await store.envs.path(target.name);
          if (options.json === true) return output.printJson({ kind: 'env', ...envJson(env), path });
          return printFields(envFields(env, path), output.print);
        }
        const version = await store.versions.get(target.version);
        const path = await store.versions.path(target.version);
        const protectedRefs = (await store.refs.list())
          .filter((ref) => ref.protected === true && version.refs.includes(ref.name))
          .map((ref) => ref.name);
        if (options.json === true) {
          return output.printJson({ kind: 'version', ...version, protectedRefs, path });
        }
        printFields(versionFields(version, protectedRefs, path), output.print);
        if (version.message.trim() === '') return;
        output.print('');
        for (const line of printable(version.message.trim(), { lines: true }).split('\n')) {
          output.print(`    ${line}`.trimEnd());
        }
      });
  },
};

function printFields(fields: Iterable<Field>, print: (line: string) => void): void {
  for (const [name, value] of fields) print(`${name.padEnd(9)} ${printable(value)}`);
}

function* envFields(env: EnvInfo, path: string): Generator<Field> {
  yield ['env', env.name];
  yield ['version', env.version];
  yield ['ref', env.ref ?? '-'];
  yield ['created', `${env.created} (${formatAge(env.created)})`];
  yield ['changed', formatBytes(env.changedBytes)];
  yield ['state', formatState(env.state)];
  yield ['path', path];
}

function* versionFields(
  version: VersionInfo,
  protectedRefs: readonly string[],
  path: string,
): Generator<Field> {
  yield ['version', version.digest];
  yield ['refs', version.refs.join(', ') || '-'];
  if (protectedRefs.length > 0) yield ['protected', protectedRefs.join(', ')];
  for (const parent of version.parents) yield ['parent', parent];
  yield ['author', version.author];
  yield ['created', `${version.created} (${formatAge(version.created)})`];
  yield ['made', version.made.command + (version.made.from === undefined ? '' : ` of ${version.made.from}`)];
  yield ['disk', `${formatBytes(version.size)} (${version.size} bytes)`];
  for (const [name, value] of Object.entries(version.machine))
    yield ['machine', `${name}=${JSON.stringify(value)}`];
  yield ['depth', count(version.layers.length, 'layer')];
  for (const layer of version.layers) yield ['layer', `${layer.digest} ${formatBytes(layer.size)}`];
  yield ['path', path];
}
