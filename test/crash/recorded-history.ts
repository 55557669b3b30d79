import { MemoryDisk, type RecordingDisk, recordingDisk } from '../../src/disk/index.ts';
import { CalveImage } from '../model/calve-image.ts';
import { type Idea, stepOf } from '../model/idea.ts';
import { KeptFile } from '../model/kept-file.ts';
import { after, type ModelDisk } from '../model/model-disk.ts';
import { contentOf, imageOf, type Scene, traitsOf } from '../model/scene.ts';
import type { Step } from '../model/step.ts';

/** A step that was taken, with the moments of the log when it began and ended, and what the disk held afterwards. */
interface Taken {
  readonly step: Step;
  readonly begun: number;
  readonly ended: number;
  readonly disk: ModelDisk;
}

/** Everything that a history wrote, and what it may say of the disk after a loss of power at any moment. */
export class RecordedHistory {
  /** The image at the beginning. */
  readonly image: Uint8Array;
  readonly recording: RecordingDisk;
  readonly taken: readonly Taken[];
  readonly #start: ModelDisk;

  private constructor(
    image: Uint8Array,
    recording: RecordingDisk,
    start: ModelDisk,
    taken: readonly Taken[],
  ) {
    this.image = image;
    this.recording = recording;
    this.#start = start;
    this.taken = taken;
  }

  /** Takes steps on a fresh image, up to its close. */
  static async play(scene: Scene, sequence: readonly Idea[]): Promise<RecordedHistory> {
    const image = imageOf(scene);
    const below = new MemoryDisk(image.length);
    await below.write(image, 0);
    const recording = recordingDisk(below);
    const { log } = recording;
    const open = await CalveImage.open(new KeptFile(recording, scene.name), scene);
    const start = contentOf(scene);
    const taken: Taken[] = [];
    let disk = start;
    const take = async (step: Step, action: () => Promise<unknown>) => {
      const begun = log.moment;
      if ((await action()) === false) return;
      disk = after(disk, step, traitsOf(scene));
      taken.push({ step, begun, ended: log.moment, disk });
    };
    for (const idea of sequence) {
      const step = stepOf(idea, disk, scene);
      if (step) await take(step, () => open.take(step));
    }
    await take({ kind: 'flush' }, () => open.close());
    return new RecordedHistory(image, recording, start, taken);
  }

  /**
   * What the disk may be at a cut: as some flush left it that had ended, or as any step since that had begun left it; and
   * each unit by itself may be as any of these say.
   */
  possible(cut: number): readonly ModelDisk[] {
    let promised = -1;
    let begun = -1;
    this.taken.forEach((each, index) => {
      const hasEnded = each.ended <= cut;
      if (each.begun < cut || hasEnded) begun = index;
      if (hasEnded && isFlush(each)) promised = index;
    });
    const states = [this.#start, ...this.taken.map(({ disk }) => disk)];
    return states.slice(promised + 1, begun + 2);
  }
}

/** Whether all that came before is durable when the step has ended. A disk that keeps its size is not touched. */
function isFlush({ step: { kind }, begun, ended }: Taken): boolean {
  if (kind === 'resize') return ended > begun;
  return ['flush', 'reopen', 'create', 'apply', 'delete'].includes(kind);
}
