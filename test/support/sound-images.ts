import { copyFile, readFile } from 'node:fs/promises';
import { DamagedImage } from './damaged-image.ts';
import { IMAGE_KINDS, type ImageKindName, makeImage } from './image-kinds.ts';
import { succeed } from './programs.ts';
import type { TemporaryFolder } from './temporary.ts';

/** Sound images of every kind, each made when it is first asked for, and copies of them to damage. */
export class SoundImages {
  readonly #folder: TemporaryFolder;
  readonly #images = new Map<ImageKindName, Promise<string>>();
  readonly #contents = new Map<string, Promise<Buffer>>();

  constructor(folder: TemporaryFolder) {
    this.#folder = folder;
  }

  /** The path of the image; not to be written to. */
  path(kind: ImageKindName): Promise<string> {
    const path = this.#folder.join(`sound ${kind}`);
    return memo(this.#images, kind, () => makeImage(IMAGE_KINDS[kind], path).then(() => path));
  }

  /** What a guest reads of the image, or of one of its snapshots. */
  content(kind: ImageKindName, snapshot?: string): Promise<Buffer> {
    return memo(this.#contents, `${kind} ${snapshot}`, async () =>
      readContent(await this.path(kind), snapshot),
    );
  }

  /** A damaged copy. */
  async damaged(
    kind: ImageKindName,
    damage: (image: DamagedImage) => void,
    name = 'damaged',
  ): Promise<string> {
    const path = this.#folder.join(name);
    await copyFile(await this.path(kind), path);
    const image = await DamagedImage.open(path);
    damage(image);
    await image.save();
    return path;
  }
}

/** What a guest reads of an image, or of one of its snapshots, by QEMU's reading. */
export async function readContent(path: string, snapshot?: string): Promise<Buffer> {
  const raw = `${path}.raw`;
  const from = snapshot === undefined ? [] : ['-l', `snapshot.name=${snapshot}`];
  await succeed('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', ...from, path, raw]);
  return readFile(raw);
}

function memo<Key, Value>(
  known: Map<Key, Promise<Value>>,
  key: Key,
  make: () => Promise<Value>,
): Promise<Value> {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
