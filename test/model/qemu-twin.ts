import assert from 'node:assert/strict';
import { report, run, succeed } from '../support/programs.ts';
import { after } from './model-disk.ts';
import { BASE_NAME, contentOf, type Scene, traitsOf } from './scene.ts';
import { type RangeStep, type Step, UNIT } from './step.ts';

/**
 * Takes the same steps with QEMU on an image of its own making: as many as can be in one process. False when QEMU could not
 * go on: where it kept a cluster that calve gave back, refcounts of few bits may have no room for one more holder.
 */
export async function playWithQemu(
  folder: string,
  path: string,
  scene: Scene,
  steps: readonly Step[],
): Promise<boolean> {
  await create(folder, path, scene);
  let commands: string[] = [];
  const play = async () => {
    if (commands.length > 0) await qemuIo(path, commands);
    commands = [];
  };
  let model = contentOf(scene);
  for (const step of steps) {
    const before = model.units.length;
    model = after(model, step, traitsOf(scene));
    if (step.kind === 'create' || step.kind === 'apply' || step.kind === 'delete') {
      await play();
      const flag = { create: '-c', apply: '-a', delete: '-d' }[step.kind];
      const ran = await run('qemu-img', ['snapshot', '-q', flag, step.snapshot, path]);
      if (scene.refcountBits < 16 && ran.code === 1 && NO_ROOM.test(ran.stderr)) return false;
      assert.equal(ran.code, 0, report(ran));
    } else if (step.kind === 'reopen') {
      await play();
    } else {
      commands.push(...commandsOf(step));
      if (step.kind === 'resize' && step.units > before)
        commands.push(...zeroTail(before, step.units, scene));
    }
  }
  await play();
  return true;
}

/** What QEMU says when a refcount would be larger than its bits allow. */
const NO_ROOM = /Could not (apply|create) snapshot .*Invalid argument/;

async function create(folder: string, path: string, scene: Scene): Promise<void> {
  const options = [
    `compat=${scene.version === 2 ? '0.10' : '1.1'}`,
    `cluster_size=${scene.clusterSize}`,
    `refcount_bits=${scene.refcountBits}`,
    ...(scene.extendedL2 ? ['extended_l2=on'] : []),
    ...(scene.compressionType === 'zlib' ? [] : [`compression_type=${scene.compressionType}`]),
  ];
  const backing = scene.backing === undefined ? [] : ['-b', BASE_NAME, '-F', 'raw'];
  const args = ['create', '-q', '-f', 'qcow2', '-o', options.join(','), ...backing, path, `${scene.size}`];
  await succeed('qemu-img', args, { cwd: folder });
}

/** qemu-io exits 0 on errors inside of a command, and says nothing when a command is unknown. */
async function qemuIo(path: string, commands: readonly string[]): Promise<void> {
  const args = ['-d', 'unmap', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), path];
  const ran = await run('qemu-io', args);
  assert.ok(ran.code === 0 && ran.stderr === '' && !/failed|error|found/i.test(ran.stdout), report(ran));
}

function commandsOf(step: Step): string[] {
  switch (step.kind) {
    case 'write':
    case 'zero':
    case 'discard':
      return [rangeCommand(step)];
    case 'together':
      return step.steps.map(rangeCommand);
    case 'compress':
      // QEMU compresses onto nothing but clusters that were never written.
      return [`write -q -P ${step.value} ${range(step)}`];
    case 'flush':
      return ['flush'];
    case 'resize':
      return [`truncate ${step.units * UNIT}`];
    default:
      assert.fail(`qemu-io cannot ${step.kind}`);
  }
}

/** Growth in QEMU shows what the last cluster held past the end of the disk before it was made smaller. */
function zeroTail(before: number, units: number, { clusterSize }: Scene): string[] {
  const tail = Math.min(units, Math.ceil((before * UNIT) / clusterSize) * (clusterSize / UNIT)) - before;
  return tail === 0 ? [] : [`write -q -z ${before * UNIT} ${tail * UNIT}`];
}

function rangeCommand(step: RangeStep): string {
  switch (step.kind) {
    case 'write':
      return `write -q -P ${step.value} ${range(step)}`;
    case 'zero':
      return `write -q -z ${step.unmap ? '-u ' : ''}${range(step)}`;
    default:
      return `discard -q ${range(step)}`;
  }
}

function range({ from, to }: { readonly from: number; readonly to: number }): string {
  return `${from * UNIT} ${(to - from) * UNIT}`;
}
