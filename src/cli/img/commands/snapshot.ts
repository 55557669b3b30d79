import { CalveError } from '../../../errors/index.ts';
import type { ImgCommand } from '../img-context.ts';
import { imgError, messageOf, prefixed, usageError } from '../img-error.ts';
import { snapshotLines } from '../info/snapshot-lines.ts';
import type { BlockNode } from '../opening/block-node.ts';
import { openImage } from '../opening/open-image.ts';
import { qcow2Words } from '../opening/qcow2-words.ts';
import { readOptions } from '../options/read-options.ts';
import { Secrets } from '../options/secrets.ts';

const OPTIONS = {
  short: { l: 'list', a: 'apply:', c: 'create:', d: 'delete:', q: 'quiet', U: 'forceShare' },
  long: { object: 'object:', 'image-opts': 'imageOptions', 'force-share': 'forceShare' },
} as const;

/** What is done, and to which snapshot. */
interface Action {
  readonly does: 'list' | 'apply' | 'create' | 'delete';
  readonly snapshot: string;
}

/** `snapshot`: internal snapshots. */
export const snapshot: ImgCommand = {
  usage: '[--object OBJECT] [--image-opts] [-U] [-q] [-l | -a SNAPSHOT | -c SNAPSHOT | -d SNAPSHOT] FILENAME',
  help: [
    ['-l', 'list the snapshots'],
    ['-a SNAPSHOT', 'make the disk what it was then; what it is now is lost'],
    ['-c SNAPSHOT', 'make a snapshot of the disk as it is'],
    ['-d SNAPSHOT', 'delete one'],
    ['-q', 'say nothing but errors'],
    ['--object OBJECT', 'define a secret: secret,id=NAME,file=PATH'],
    ['--image-opts', 'FILENAME is a list of options: driver=qcow2,file.filename=PATH'],
    ['-U, --force-share', 'list them even while somebody writes the image'],
  ],
  async run(words, context) {
    const secrets = new Secrets();
    let [imageOptions, forceShare] = [false, false];
    let action: Action | undefined;
    const typed = readOptions(words, OPTIONS);
    let each = typed.next();
    for (; !each.done; each = typed.next()) {
      const { name, value } = each.value;
      if (name === 'object') secrets.define(value);
      else if (name === 'imageOptions') imageOptions = true;
      else if (name === 'forceShare') forceShare = true;
      else if (name !== 'quiet') {
        if (action !== undefined) throw usageError("Cannot mix '-l', '-a', '-c', '-d'");
        action = { does: name, snapshot: value };
      }
    }
    const [filename, ...further] = each.value;
    if (filename === undefined || further.length > 0) throw usageError('Expecting one image file name');
    const writable = action?.does !== 'list';
    const node = await openImage(filename, { imageOptions, forceShare, secrets, writable }, context);
    await using _disk = node.disk;
    if (action?.does === 'list') {
      const snapshots = (await node.qcow2?.snapshots()) ?? [];
      if (snapshots.length > 0) context.print(`${snapshotLines(snapshots).join('\n')}\n`);
    } else if (action?.does === 'create') await makeSnapshot(node, action.snapshot);
    else if (action?.does === 'apply') await applySnapshot(node, action.snapshot);
    else if (action?.does === 'delete') await deleteSnapshot(node, action.snapshot);
    return 0;
  },
};

const MOST_NAME_BYTES = 255;

async function makeSnapshot({ qcow2 }: BlockNode, wanted: string): Promise<void> {
  const failed = (why: string, cause?: unknown) =>
    imgError(`Could not create snapshot '${wanted}': ${why}`, { cause });
  if (qcow2 === undefined) throw failed('-95 (Operation not supported)');
  try {
    // Nobody counted instructions of a guest that does not run: qemu-img counts none.
    await qcow2.createSnapshot({ name: cutName(wanted), anyName: true, icount: 0n });
  } catch (error) {
    if (CalveError.is(error, 'unsupported')) throw failed('-95 (Operation not supported)', error);
    if (CalveError.is(error, 'out-of-range')) throw failed('-22 (Invalid argument)', error);
    throw failed(messageOf(qcow2Words(error)), error);
  }
}

/** As much of a name as an entry holds, in whole characters. */
function cutName(name: string): string {
  let cut = name;
  while (Buffer.byteLength(cut) > MOST_NAME_BYTES) cut = [...cut].slice(0, -1).join('');
  return cut;
}

async function applySnapshot({ qcow2 }: BlockNode, idOrName: string): Promise<void> {
  const failed = (why: string, cause?: unknown) =>
    imgError(`Could not apply snapshot '${idOrName}': ${why}`, { cause });
  if (qcow2 === undefined) throw failed('Block driver does not support snapshots');
  if (qcow2.bitmaps().length > 0) throw failed('Device has active dirty bitmaps');
  try {
    await qcow2.applySnapshot(idOrName);
  } catch (error) {
    if (CalveError.is(error, 'not-found')) {
      throw failed('Failed to load snapshot: No such file or directory', error);
    }
    if (CalveError.is(error, 'unsupported')) {
      throw failed('Failed to load snapshot: Operation not supported', error);
    }
    throw prefixed(`Could not apply snapshot '${idOrName}': Failed to load snapshot: `, qcow2Words(error));
  }
}

async function deleteSnapshot({ qcow2 }: BlockNode, name: string): Promise<void> {
  const found = (await qcow2?.snapshots())?.some((each) => each.name === name) === true;
  if (qcow2 === undefined || !found)
    throw imgError(`Could not delete snapshot '${name}': snapshot not found`);
  try {
    await qcow2.deleteSnapshot(name);
  } catch (error) {
    throw prefixed(`Could not delete snapshot '${name}': `, qcow2Words(error));
  }
}
